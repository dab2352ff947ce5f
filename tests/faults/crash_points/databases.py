"""Databases that are brought back to a moment in milliseconds, and whose clock leaps."""

from typing import Any, Final

import psycopg2

from tests.support.servers import Servers

# Found before PostgreSQL's own functions of these names, because the search path names this schema first. Time goes
# on by itself, and has leapt by what stands in the table.
_CLOCK: Final = """
    CREATE SCHEMA leaping;
    CREATE TABLE leaping.clock (leapt interval NOT NULL);
    INSERT INTO leaping.clock VALUES ('0');
    CREATE FUNCTION leaping.now() RETURNS timestamptz LANGUAGE sql STABLE
        AS 'SELECT pg_catalog.now() + leapt FROM leaping.clock';
    CREATE FUNCTION leaping.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
        AS 'SELECT pg_catalog.clock_timestamp() + leapt FROM leaping.clock';
    GRANT USAGE ON SCHEMA leaping TO PUBLIC;
    GRANT SELECT ON leaping.clock TO PUBLIC;
"""
_TIME_DEFAULTS: Final = """
    SELECT format('ALTER TABLE public.%I ALTER COLUMN %I SET DEFAULT leaping.now()', c.relname, a.attname)
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


class LeapingDatabases:
    """Administers the databases of one system; the services use them with their own roles."""

    def __init__(self, servers: Servers, names: dict[str, str]) -> None:
        self.connections: dict[str, Any] = {}
        self._tables: dict[str, list[str]] = {}
        for service, name in names.items():
            connection = psycopg2.connect(servers.postgres_url(name))
            connection.autocommit = True
            self.connections[service] = connection
            self.run(service, _CLOCK)
            for (statement,) in self.rows(service, _TIME_DEFAULTS):
                self.run(service, statement)
            self.run(service, f'ALTER DATABASE "{name}" SET search_path = leaping, pg_catalog, public')
            # Triggers and foreign keys keep the services from forgetting; between two runs we must.
            self.run(service, "SET session_replication_role = replica")
            self._tables[service] = [str(row[0]) for row in self.rows(service, _TABLES)]
        self._keep("first")
        self.keep()

    def forget(self) -> None:
        """Back to what the migrations have left."""
        self._come_back("first")

    def keep(self) -> None:
        """:meth:`come_back` comes back to this moment. Nothing is known of numbers drawn since: they go on."""
        self._keep("kept")

    def come_back(self) -> None:
        """Everything is as it was at the moment that was kept."""
        self._come_back("kept")

    def leap(self, seconds: float) -> None:
        """What ``now()`` says is so far ahead of the machine's clock."""
        for service in self.connections:
            self.run(service, "UPDATE leaping.clock SET leapt = make_interval(secs => %s)", seconds)

    def run(self, service: str, statements: str, *parameters: object) -> None:
        with self.connections[service].cursor() as cursor:
            cursor.execute(statements, parameters or None)

    def rows(self, service: str, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Everything as it stands."""
        with self.connections[service].cursor() as cursor:
            cursor.execute(query, parameters or None)
            found: list[tuple[Any, ...]] = cursor.fetchall()
            return found

    def writers(self, service: str) -> set[str]:
        """The number of every transaction that has made a row which is there."""
        each = (f"SELECT xmin::text FROM public.{table}" for table in self._tables[service])  # noqa: S608
        return {str(row[0]) for row in self.rows(service, " UNION ".join(each))}

    def close(self) -> None:
        for connection in self.connections.values():
            connection.close()

    def _keep(self, moment: str) -> None:
        for service, tables in self._tables.items():
            for table in tables:
                copy = f"leaping.{moment}_{table}"
                self.run(service, f"DROP TABLE IF EXISTS {copy}; CREATE TABLE {copy} AS TABLE public.{table}")

    def _come_back(self, moment: str) -> None:
        for service, tables in self._tables.items():
            back = (
                f"DELETE FROM public.{table};"  # noqa: S608  names from the catalogue
                f"INSERT INTO public.{table} OVERRIDING SYSTEM VALUE SELECT * FROM leaping.{moment}_{table}"
                for table in tables
            )
            self.run(service, ";".join(back))
