"""PostgreSQL databases of which a harness controls the clock and the contents."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import psycopg2

from tests.support import databases
from tests.support.servers import Servers

#: The search path names this schema first, so that its functions hide PostgreSQL's own.
_CLOCK: Final = """
    CREATE SCHEMA controlled;
    CREATE TABLE controlled.clock AS SELECT timestamptz '2030-01-01T00:00:00Z' AS at, interval '0' AS ahead;
    CREATE FUNCTION controlled.now() RETURNS timestamptz LANGUAGE sql STABLE
        AS 'SELECT {now} FROM controlled.clock';
    CREATE FUNCTION controlled.clock_timestamp() RETURNS timestamptz LANGUAGE sql {volatility}
        AS 'SELECT {clock_timestamp} FROM controlled.clock';
    GRANT USAGE ON SCHEMA controlled TO PUBLIC;
    GRANT SELECT ON controlled.clock TO PUBLIC;
"""
#: The clock stands still at ``at``.
FIXED_CLOCK: Final = _CLOCK.format(now="at", volatility="STABLE", clock_timestamp="at")
#: The clock runs, and is ``ahead`` of the machine's.
OFFSET_CLOCK: Final = _CLOCK.format(
    now="pg_catalog.now() + ahead", volatility="VOLATILE", clock_timestamp="pg_catalog.clock_timestamp() + ahead"
)

_TIME_DEFAULTS: Final = """
    SELECT format('ALTER TABLE public.%1$I ALTER COLUMN %2$I SET DEFAULT controlled.now();
                   UPDATE public.%1$I SET %2$I = controlled.now()', c.relname, a.attname)
      FROM pg_attrdef d JOIN pg_class c ON c.oid = d.adrelid
      JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
     WHERE c.relnamespace = 'public'::regnamespace
       AND pg_get_expr(d.adbin, d.adrelid) IN ('now()', 'clock_timestamp()')
"""
_TABLES: Final = """
    SELECT c.relname FROM pg_class c
     WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND c.relname <> 'alembic_version'
     ORDER BY c.relname
"""


@contextmanager
def created(servers: Servers, services: Sequence[str]) -> Iterator[dict[str, str]]:
    """Create a database for each service, yield their names by service, and drop them at the end."""
    with ExitStack() as stack:
        names = {}
        for service in services:
            names[service] = databases.create(servers, service)
            stack.callback(databases.drop, servers, names[service])
        yield names


class ControlledDatabases:
    """Administers the databases of one system. The services connect with their own roles.

    ``names`` maps a service to its database. ``clock`` is the SQL of the clock. ``settings`` apply to each.
    """

    def __init__(self, servers: Servers, names: Mapping[str, str], clock: str, **settings: str) -> None:
        self.connections: dict[str, Any] = {}
        #: The tables of each service, in alphabetical order.
        self.tables: dict[str, list[str]] = {}
        for service, name in names.items():
            connection = psycopg2.connect(servers.postgres_url(name))
            connection.autocommit = True
            self.connections[service] = connection
            self.run(service, clock)
            for setting, value in {"search_path": "controlled, pg_catalog, public", **settings}.items():
                self.run(service, f'ALTER DATABASE "{name}" SET {setting} = {value}')
            # Triggers and foreign keys forbid deletions, which restoring a snapshot needs.
            self.run(service, "SET session_replication_role = replica")
            for (statements,) in self.rows(service, _TIME_DEFAULTS):
                self.run(service, statements)
            self.tables[service] = [str(row[0]) for row in self.rows(service, _TABLES)]
        self.save("initial")

    def save(self, snapshot: str) -> None:
        """Save the contents of all tables under a name. Sequences are not part of a snapshot."""
        for service, tables in self.tables.items():
            for table in tables:
                copy = f"controlled.{snapshot}_{table}"
                self.run(service, f"DROP TABLE IF EXISTS {copy}; CREATE TABLE {copy} AS TABLE public.{table}")

    def restore(self, snapshot: str) -> None:
        """Restore the contents that were saved under a name."""
        for service, tables in self.tables.items():
            back = (
                f"DELETE FROM public.{table};"  # noqa: S608  names from the catalogue
                f"INSERT INTO public.{table} OVERRIDING SYSTEM VALUE SELECT * FROM controlled.{snapshot}_{table}"
                for table in tables
            )
            self.run(service, ";".join(back))

    def run(self, service: str, statements: str, *parameters: object) -> None:
        """Execute statements as the administrator."""
        with self.connections[service].cursor() as cursor:
            cursor.execute(statements, parameters or None)

    def rows(self, service: str, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        with self.connections[service].cursor() as cursor:
            cursor.execute(query, parameters or None)
            found: list[tuple[Any, ...]] = cursor.fetchall()
            return found

    def close(self) -> None:
        """Close the administrator's connections."""
        for connection in self.connections.values():
            connection.close()
