"""The three databases of a simulation: real PostgreSQL, with the simulated clock as their ``now()``.

They are made once and emptied before each seed, so every seed finds the same: same rows, same plans, same numbers.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

import psycopg2
from sqlalchemy import event

from common.db.engine import Database
from tests.simulation.actors import Killed, Stage, current
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
        self._emptying: dict[str, str] = {}
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
            cursor.execute(f'ALTER DATABASE "{name}" SET search_path = simulated, pg_catalog, public')
            # Triggers and foreign keys keep the services from forgetting; between two seeds we must.
            cursor.execute("SET session_replication_role = replica")
            cursor.execute(_TABLES)
            self._emptying[service] = ";".join(
                self._reset(cursor, table, sequence) for table, sequence in cursor.fetchall()
            )

    @staticmethod
    def _reset(cursor: Any, table: str, sequence: str | None) -> str:
        """The statements that bring a table back to what the migrations left in it."""
        cursor.execute(f"CREATE TABLE simulated.first_{table} AS TABLE {table}")
        forget = f"DELETE FROM {table}"  # noqa: S608
        if cursor.rowcount:
            return f"{forget}; INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM simulated.first_{table}"  # noqa: S608
        return f"{forget}; SELECT setval('{sequence}', 1, false)" if sequence else forget

    def empty(self) -> None:
        """Forget everything that a seed did."""
        for service, statements in self._emptying.items():
            self._run(service, statements)

    def set_clock(self, at: datetime) -> None:
        """What ``now()`` says from here on. Only those with an outbox ask."""
        for service in self.connections:
            self._run(service, "UPDATE simulated.clock SET at = %s", (at,))

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

    def close(self) -> None:
        for connection in self.connections.values():
            connection.close()

    def _run(self, service: str, statements: str, parameters: tuple[object, ...] = ()) -> None:
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


def put_gates(db: Database, stage: Callable[[], Stage]) -> None:
    """Make every statement and every commit on this database a gate for the actor who comes to it."""
    engine = db._engine

    def before_statement(_connection: Any, cursor: Any, *_: Any) -> None:
        actor = current()
        if actor is None:
            return
        try:
            stage().gate("statement")
        except Killed:
            # The server ends the transaction of a dead client soon; here it must be before anybody else moves.
            cursor.connection.rollback()
            raise
        actor.backend_pid = cursor.connection.info.backend_pid

    def before_commit(_connection: Any) -> None:
        if current() is not None:
            stage().gate("commit")

    def after_statement(*_: Any) -> None:
        actor = current()
        if actor is not None:
            actor.backend_pid = 0

    event.listen(engine, "before_cursor_execute", before_statement)
    event.listen(engine, "after_cursor_execute", after_statement)
    event.listen(engine, "handle_error", after_statement)
    event.listen(engine, "commit", before_commit)
