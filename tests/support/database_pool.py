"""Databases that tests use one after the other: restored after each test instead of dropped and copied again.

A copy of a database creates some three hundred files. Restoring one truncates the tables that a test has written, and
costs a tenth of that. A database whose schema a test has changed is dropped.
"""

import io
import secrets
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

import psycopg2
from psycopg2 import sql

from tests.support import databases
from tests.support.servers import Servers

#: Everything of a schema that a test may change, and whether it has been analyzed, because plans depend on that. A copy
#: has the object ids of its original.
_SCHEMA: Final = """
    SELECT md5(concat_ws('/',
        (SELECT string_agg(concat_ws(' ', oid, relname, relowner, relacl, reloptions), ',' ORDER BY oid) FROM pg_class
          WHERE relnamespace = 'public'::regnamespace),
        (SELECT string_agg(concat_ws(' ', attname, atttypid, attnotnull, attacl), ',' ORDER BY attrelid, attnum)
           FROM pg_attribute WHERE attrelid >= 16384 AND attnum > 0),
        (SELECT string_agg(concat_ws(' ', oid, adbin), ',' ORDER BY oid) FROM pg_attrdef),
        (SELECT string_agg(concat_ws(' ', oid, tgenabled), ',' ORDER BY oid) FROM pg_trigger),
        (SELECT string_agg(concat_ws(' ', oid, convalidated), ',' ORDER BY oid) FROM pg_constraint),
        (SELECT string_agg(concat_ws(' ', oid, xmin), ',' ORDER BY oid) FROM pg_proc WHERE oid >= 16384),
        (SELECT string_agg(concat_ws(' ', oid, nspname, nspacl), ',' ORDER BY oid) FROM pg_namespace
          WHERE nspname !~ '^pg_'),
        (SELECT count(*) FROM pg_statistic WHERE starelid >= 16384),
        (SELECT string_agg(concat_ws(' ', setrole, setconfig), ',' ORDER BY setrole) FROM pg_db_role_setting
          WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())),
        (SELECT datacl FROM pg_database WHERE datname = current_database())))
"""
_WRITTEN: Final = """
    SELECT relname FROM pg_class
     WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pg_relation_size(oid) > 0
"""
_SEQUENCES: Final = "SELECT sequencename, last_value, start_value FROM pg_sequences WHERE schemaname = 'public'"
_END_SESSIONS: Final = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()
"""


@dataclass(frozen=True, slots=True)
class _Original:
    """What a database contains before a test: its schema, the rows of each table, and its sequences."""

    schema: str
    rows: dict[str, str]
    sequences: dict[str, tuple[int | None, int]]


class DatabasePool:
    """The databases of one worker process. They are deleted with the server."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._originals: dict[str, _Original] = {}
        self._free: dict[str, list[str]] = defaultdict(list)

    def take(self, service: str, original: str = "") -> str:
        """Return the name of a database with the contents of ``original``; by default, of the service's template."""
        key = original or service
        if self._free[key]:
            return self._free[key].pop()
        if original:
            name = databases.copy(self._servers, service, original)
        else:
            name = databases.create(self._servers, service)
        if key not in self._originals:
            with self._connected(name) as connection:
                self._originals[key] = _read(connection.cursor())
        return name

    def give_back(self, name: str, service: str, original: str = "") -> None:
        """Restore a database for the next test. It gets a new name, so that no thread of the last test finds it."""
        key = original or service
        fresh = f"test_{service}_{secrets.token_hex(6)}"
        with self._connected("postgres") as connection, connection.cursor() as cursor:
            cursor.execute(_END_SESSIONS, (name,))
            try:
                cursor.execute(
                    sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(fresh))
                )
            except psycopg2.errors.ObjectInUse:  # a thread of the test has connected again
                databases.drop(self._servers, name)
                return
        with self._connected(fresh) as connection:
            is_restored = _restore(connection.cursor(), self._originals[key])
        if is_restored:
            self._free[key].append(fresh)
        else:
            databases.drop(self._servers, fresh)

    def _connected(self, name: str) -> closing[Any]:
        connection = psycopg2.connect(self._servers.postgres_url(name))
        connection.autocommit = True
        return closing(connection)


def _read(cursor: Any) -> _Original:
    cursor.execute(_SCHEMA)
    (schema,) = cursor.fetchone()
    return _Original(schema, {table: _rows(cursor, table) for table in _written(cursor)}, _sequences(cursor))


def _restore(cursor: Any, original: _Original) -> bool:
    """Restore all rows and sequences; return False if the schema has changed."""
    cursor.execute(_SCHEMA)
    if cursor.fetchone() != (original.schema,):
        return False
    # Triggers forbid what restoring needs.
    cursor.execute("SET session_replication_role = replica")
    changed = [
        table
        for table in _written(cursor)
        if table not in original.rows or _rows(cursor, table) != original.rows[table]
    ]
    if changed:
        tables = sql.SQL(", ").join(map(sql.Identifier, changed))
        cursor.execute(sql.SQL("TRUNCATE {} CASCADE").format(tables))
    for table, rows in original.rows.items():
        if _rows(cursor, table) != rows:
            cursor.copy_expert(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table)), io.StringIO(rows))
    for sequence, (value, start) in _sequences(cursor).items():
        before, _ = original.sequences[sequence]
        if value != before:
            cursor.execute("SELECT setval(%s, %s, %s)", (sequence, before or start, before is not None))
    return True


def _written(cursor: Any) -> list[str]:
    """Return the tables that have or had rows."""
    cursor.execute(_WRITTEN)
    return [row[0] for row in cursor.fetchall()]


def _rows(cursor: Any, table: str) -> str:
    rows = io.StringIO()
    cursor.copy_expert(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table)), rows)
    return rows.getvalue()


def _sequences(cursor: Any) -> dict[str, tuple[int | None, int]]:
    cursor.execute(_SEQUENCES)
    return {name: (value, start) for name, value, start in cursor.fetchall()}
