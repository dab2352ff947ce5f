"""The three databases of a simulation: real PostgreSQL, with the simulated clock as their ``now()``.

They are made once and emptied before each seed, so every seed finds the same: same rows in the same places, same plans,
same numbers.
"""

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

import psycopg2

from tests.support import databases
from tests.support.servers import Servers

SERVICES: Final = ("balance", "checks", "payments")

# Found before PostgreSQL's own functions of these names, because the search path names this schema first.
_CLOCK: Final = """
    CREATE SCHEMA simulated;
    CREATE TABLE simulated.clock (at timestamptz NOT NULL);
    INSERT INTO simulated.clock VALUES ('2030-01-01T00:00:00Z');
    CREATE FUNCTION simulated.now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT at FROM simulated.clock';
    CREATE FUNCTION simulated.clock_timestamp() RETURNS timestamptz LANGUAGE sql STABLE
        AS 'SELECT at FROM simulated.clock';
    GRANT USAGE ON SCHEMA simulated TO PUBLIC;
    GRANT SELECT ON simulated.clock TO PUBLIC;
"""

# Nothing may depend on how long something takes, on what a connection did before, or on where a row lies.
_SETTINGS: Final = {
    "search_path": "simulated, pg_catalog, public",
    "deadlock_timeout": "3600000",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_hashagg": "off",
    "enable_memoize": "off",
}

_TIME_DEFAULTS: Final = """
    SELECT format('ALTER TABLE public.%1$I ALTER COLUMN %2$I SET DEFAULT simulated.now();
                   UPDATE public.%1$I SET %2$I = simulated.now()', c.relname, a.attname)
      FROM pg_attrdef d JOIN pg_class c ON c.oid = d.adrelid
      JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
     WHERE c.relnamespace = 'public'::regnamespace
       AND pg_get_expr(d.adbin, d.adrelid) IN ('now()', 'clock_timestamp()')
"""

_TABLES: Final = """
    SELECT c.relname, pg_get_serial_sequence(c.oid::regclass::text, a.attname)
      FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attidentity <> ''
     WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND c.relname <> 'alembic_version'
     ORDER BY c.relname
"""

_BLOCKERS: Final = "SELECT pid, pg_blocking_pids(pid) FROM unnest(%s::int[]) AS pid"


class SimulatedDatabases:
    """Administers the databases of one worker; the services use them with their own roles."""

    def __init__(self, servers: Servers, urls: dict[str, str]) -> None:
        self.urls = urls
        self._emptying: dict[str, list[str]] = {}
        self._stopped: set[int] = set()
        #: Service -> its tables.
        self.tables: dict[str, list[str]] = {}
        self.connections: dict[str, Any] = {}
        for service, url in urls.items():
            name = url.rsplit("/", 1)[1]
            connection = psycopg2.connect(servers.postgres_url(name))
            connection.autocommit = True
            self.connections[service] = connection
            self._prepare(service, name)

    def _prepare(self, service: str, name: str) -> None:
        with self.connections[service].cursor() as cursor:
            cursor.execute(_CLOCK)
            for setting, value in _SETTINGS.items():
                cursor.execute(f'ALTER DATABASE "{name}" SET {setting} = {value}')
            # Triggers and foreign keys keep the services from forgetting; between two seeds we must.
            cursor.execute("SET session_replication_role = replica")
            cursor.execute(_TIME_DEFAULTS)
            for (statements,) in cursor.fetchall():
                cursor.execute(statements)
            cursor.execute(_TABLES)
            tables = cursor.fetchall()
            self.tables[service] = [table for table, _ in tables]
            self._emptying[service] = [
                ";".join(self._reset(cursor, table, sequence) for table, sequence in tables),
                # Rows of this seed are to lie where those of another run of it lay.
                *(f"VACUUM {table}" for table, _ in tables),
            ]

    @staticmethod
    def _reset(cursor: Any, table: str, sequence: str | None) -> str:
        """The statements that bring a table back to what the migrations left in it."""
        cursor.execute(f"CREATE TABLE simulated.first_{table} AS TABLE {table}")
        rows: int = cursor.rowcount
        cursor.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
        forget = f"DELETE FROM {table}"  # noqa: S608
        if rows:
            return f"{forget}; INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM simulated.first_{table}"  # noqa: S608
        return f"{forget}; SELECT setval('{sequence}', 1, false)" if sequence else forget

    def empty(self) -> None:
        """Forget everything that a seed did."""
        for service, commands in self._emptying.items():
            for command in commands:
                self.run(service, command)

    def set_clock(self, at: datetime) -> None:
        """What ``now()`` says from here on. Only those with an outbox ask."""
        for service in self.connections:
            self.run(service, "UPDATE simulated.clock SET at = %s", (at,))

    def rows(self, service: str, query: str, parameters: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """For the checker: everything as it stands."""
        with self.connections[service].cursor() as cursor:
            cursor.execute(query, parameters or None)
            found: list[tuple[Any, ...]] = cursor.fetchall()
            return found

    def blockers(self, pids: Iterable[int]) -> dict[int, set[int]]:
        wanted = list(pids)
        rows = self.rows("balance", _BLOCKERS, (wanted,)) if wanted else []
        return {pid: set(blocking) for pid, blocking in rows if blocking}

    def cancel(self, pid: int) -> None:
        self.rows("balance", "SELECT pg_cancel_backend(%s)", (pid,))

    def stop(self, pid: int) -> None:
        # It sleeps in the lock manager then, and holds nothing there that others need for their work.
        self._stopped.add(pid)
        os.kill(pid, signal.SIGSTOP)

    def resume(self, pid: int) -> None:
        os.kill(pid, signal.SIGCONT)
        self._stopped.discard(pid)

    def close(self) -> None:
        for pid in list(self._stopped):
            self.resume(pid)
        for connection in self.connections.values():
            connection.close()

    def run(self, service: str, statements: str, parameters: tuple[object, ...] = ()) -> None:
        """As the administrator."""
        with self.connections[service].cursor() as cursor:
            cursor.execute(statements, parameters or None)


@contextmanager
def simulated_databases(servers: Servers) -> Iterator[SimulatedDatabases]:
    """Make a set, and drop it at the end."""
    names = {service: databases.create(servers, service) for service in SERVICES}
    made = SimulatedDatabases(servers, {name: databases.url(servers, name, names[name]) for name in SERVICES})
    try:
        yield made
    finally:
        made.close()
        for name in names.values():
            databases.drop(servers, name)
