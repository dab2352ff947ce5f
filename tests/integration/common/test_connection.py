"""Connections for repositories: results, errors, and the state of the connection after an error."""

import psycopg2
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError, IntegrityError, MultipleResultsFound, NoResultFound, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from common.core.settings import DatabaseSettings
from common.db.driver import prepared
from common.db.engine import Database

NUMBERS = text("SELECT n, n * n AS square FROM generate_series(1, :upto) n")


def test_columns_can_be_read_as_attributes_or_by_name(subscriber_db: Database) -> None:
    with subscriber_db.autocommit() as tx:
        assert [(row.n, row.square) for row in tx.execute(NUMBERS, {"upto": 3})] == [(1, 1), (2, 4), (3, 9)]
        assert [*tx.execute(NUMBERS, {"upto": 2}).mappings()] == [{"n": 1, "square": 1}, {"n": 2, "square": 4}]
        assert tx.execute(NUMBERS, {"upto": 1}).one().square == 1
        assert tx.execute(NUMBERS, {"upto": 1}).mappings().one() == {"n": 1, "square": 1}


def test_methods_for_one_row_reject_none_and_several(subscriber_db: Database) -> None:
    with subscriber_db.autocommit() as tx:
        assert tx.execute(NUMBERS, {"upto": 0}).one_or_none() is None
        assert tx.execute(NUMBERS, {"upto": 0}).scalar_one_or_none() is None
        assert tx.execute(NUMBERS, {"upto": 0}).mappings().one_or_none() is None
        with pytest.raises(NoResultFound):
            tx.execute(NUMBERS, {"upto": 0}).one()
        with pytest.raises(NoResultFound):
            tx.execute(NUMBERS, {"upto": 0}).scalar_one()
        for read in ("one", "one_or_none", "scalar_one", "scalar_one_or_none"):
            with pytest.raises(MultipleResultsFound):
                getattr(tx.execute(NUMBERS, {"upto": 2}), read)()


@pytest.mark.parametrize("make", [text, prepared])
def test_percent_signs_and_colons_in_a_statement_are_literal(subscriber_db: Database, make: object) -> None:
    statement = make("SELECT '100%'::text AS share, 7 % 4 AS rest, CAST(:given AS text) AS given")  # type: ignore[operator]
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
    nobody_there = make_url(subscriber_db.url).set(port=1).render_as_string(hide_password=False)
    away = Database(nobody_there, settings=DatabaseSettings(), application_name="test")
    with pytest.raises(OperationalError) as raised:
        away.ping()
    assert raised.value.connection_invalidated
    with pytest.raises(OperationalError), away.transaction():
        pass


def test_exhausted_pool_raises_a_timeout(subscriber_db: Database) -> None:
    settings = DatabaseSettings(database_pool_size=1, database_pool_timeout_seconds=0.1)
    small = Database(subscriber_db.url, settings=settings, application_name="test")
    with small.autocommit(), pytest.raises(PoolTimeout):
        small.ping()
    small.ping()
    small.dispose()
