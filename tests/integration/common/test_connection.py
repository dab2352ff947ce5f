"""What a repository executes on: SQLAlchemy's connections over psycopg2, configured by ``Database``."""

import os
from time import monotonic
from typing import Any

import psycopg2
import pytest
from sqlalchemy import Connection, event, make_url, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from common.core.settings import DatabaseSettings
from common.db.engine import Database
from common.db.errors import is_transient


def _on_the_wire(db: Database) -> list[str]:
    """Return a list to which psycopg2 adds each message that it sends on connections made from now on."""
    sent: list[str] = []

    def watch(connection: Any, _record: object) -> None:
        class WatchedCursor(connection.cursor_factory):  # type: ignore[misc]  # the connection's own class
            def execute(self, query: str, parameters: Any = None) -> None:
                try:
                    super().execute(query, parameters)
                finally:
                    sent.append(self.query.decode())

        connection.cursor_factory = WatchedCursor

    event.listen(db._engine, "connect", watch)
    return sent


def test_begin_travels_with_the_first_statement_and_autocommit_sends_nothing_else(subscriber_db: Database) -> None:
    subscriber_db.dispose()
    sent = _on_the_wire(subscriber_db)
    subscriber_db.ping()
    sent.clear()
    for _ in range(2):
        with subscriber_db.transaction() as tx:
            tx.execute(text("SELECT 1"))
            tx.execute(text("SELECT 2"))
        with subscriber_db.autocommit() as tx:
            tx.execute(text("SELECT 3"))
    with pytest.raises(DBAPIError), subscriber_db.transaction() as tx:
        tx.execute(text("SELECT 4/0"))
    with subscriber_db.transaction():
        pass
    assert sent == [*(["BEGIN; SELECT 1", "SELECT 2", "COMMIT", "SELECT 3"] * 2), "BEGIN; SELECT 4/0", "ROLLBACK"]


def test_listener_written_by_sqlalchemys_manual_sees_and_changes_statements(subscriber_db: Database) -> None:
    """As the manual shows it for ``before_cursor_execute`` (https://docs.sqlalchemy.org/en/21/core/events.html)."""
    seen: list[tuple[str, Any]] = []

    @event.listens_for(subscriber_db._engine, "before_cursor_execute", retval=True)
    def comment_sql_calls(
        conn: Connection, _cursor: Any, statement: str, parameters: Any, context: Any, _executemany: bool
    ) -> tuple[str, Any]:
        conn.info.setdefault("query_start_time", []).append(monotonic())
        assert context.dialect.name == "postgresql"
        seen.append((statement, parameters))
        return statement + " -- commented", parameters

    @event.listens_for(subscriber_db._engine, "after_cursor_execute")
    def measure(conn: Connection, *_: Any) -> None:
        assert monotonic() >= conn.info["query_start_time"].pop()

    own_statement = text("SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid() AND 1 = :n")
    for opened in (subscriber_db.transaction, subscriber_db.autocommit):
        with opened() as tx:
            own = tx.execute(own_statement, {"n": 1})
            assert own.scalar_one().endswith("AND 1 = 1 -- commented")
    assert [parameters for _, parameters in seen] == [{"n": 1}, {"n": 1}]


def test_error_of_a_statement_in_autocommit_leaves_the_connection_usable(subscriber_db: Database) -> None:
    with subscriber_db.autocommit() as tx:
        with pytest.raises(DBAPIError):
            tx.execute(text("SELECT 1/0"))
        assert tx.execute(text("SELECT 1")).scalar_one() == 1


def test_percent_and_colon_are_literal_in_statements_and_in_values(subscriber_db: Database) -> None:
    statement = text("SELECT '100%'::text AS share, 7 % 4 AS rest, CAST(:given AS text) AS given")
    with subscriber_db.autocommit() as tx:
        row = tx.execute(statement, {"given": "%(n)s :n 50%"}).one()
    assert (row.share, row.rest, row.given) == ("100%", 3, "%(n)s :n 50%")


def test_error_is_of_sqlalchemy_and_hides_the_parameters(subscriber_db: Database) -> None:
    statement = text("INSERT INTO inbox (event_id, type, source, attempts) VALUES (gen_random_uuid(), :t, '', -1)")
    with pytest.raises(IntegrityError) as raised, subscriber_db.autocommit() as tx:
        tx.execute(statement, {"t": "s3cret"})
    assert isinstance(raised.value.orig, psycopg2.errors.CheckViolation)
    assert "VALUES" in str(raised.value)
    assert "s3cret" not in str(raised.value).split("DETAIL")[0]
    assert not raised.value.connection_invalidated


def test_failed_transaction_is_rolled_back(subscriber_db: Database) -> None:
    write = text("INSERT INTO inbox (event_id, type, source) VALUES (gen_random_uuid(), 'x', 'y')")
    count = text("SELECT count(*) FROM inbox")

    def write_and_fail_here() -> None:
        with subscriber_db.transaction() as tx:
            tx.execute(write)
            raise ZeroDivisionError

    def write_and_fail_there() -> None:
        with subscriber_db.transaction() as tx:
            tx.execute(write)
            tx.execute(text("SELECT 1/0"))

    with pytest.raises(ZeroDivisionError):
        write_and_fail_here()
    with pytest.raises(DBAPIError):
        write_and_fail_there()
    with subscriber_db.transaction() as tx:
        assert tx.execute(write).rowcount == 1
        tx.execute(write)
    with subscriber_db.autocommit() as tx:
        assert tx.execute(count).scalar_one() == 2


def test_lost_connection_is_reported_and_replaced(subscriber_db: Database) -> None:
    pid = text("SELECT pg_backend_pid()")
    with pytest.raises(OperationalError) as raised, subscriber_db.transaction() as tx:
        tx.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    assert raised.value.connection_invalidated
    with subscriber_db.autocommit() as tx:
        assert tx.execute(pid).scalar_one() > 0


def test_closed_idle_connection_is_not_used(subscriber_db: Database) -> None:
    pid = text("SELECT pg_backend_pid()")
    with subscriber_db.autocommit() as tx:
        first = tx.execute(pid).scalar_one()
    other = Database(subscriber_db.url, settings=DatabaseSettings(), application_name="other")
    with other.autocommit() as tx:
        # With a time-out it waits until the process has ended.
        assert tx.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": first}).scalar_one()
    other.dispose()
    with subscriber_db.autocommit() as tx:
        assert tx.execute(pid).scalar_one() != first


def test_unreachable_server_raises_operational_error(subscriber_db: Database) -> None:
    unreachable_url = make_url(subscriber_db.url).set(port=1).render_as_string(hide_password=False)
    away = Database(unreachable_url, settings=DatabaseSettings(), application_name="test")
    with pytest.raises(OperationalError) as raised:
        away.ping()
    assert is_transient(raised.value)
    with pytest.raises(OperationalError), away.transaction():
        pass


def test_exhausted_pool_raises_a_timeout(subscriber_db: Database) -> None:
    settings = DatabaseSettings(database_pool_size=1, database_pool_timeout_seconds=0.1)
    small = Database(subscriber_db.url, settings=settings, application_name="test")
    with small.autocommit(), pytest.raises(PoolTimeout):
        small.ping()
    small.ping()
    small.dispose()


def _backend(db: Database) -> int:
    with db.autocommit() as tx:
        return int(tx.execute(text("SELECT pg_backend_pid()")).scalar_one())


def test_a_forked_process_leaves_the_connections_of_its_parent_alone(subscriber_db: Database) -> None:
    """On a shared connection, what one process commits could be rolled back with the other's transaction."""
    before = _backend(subscriber_db)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, str(_backend(subscriber_db)).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        in_child = pipe.read()
    os.waitpid(child, 0)
    assert int(in_child) != before
    assert _backend(subscriber_db) == before
