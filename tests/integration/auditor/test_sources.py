"""How the auditor reads: two connections that share a snapshot, and rows streamed in batches."""

from collections.abc import Iterator

import psycopg2
import pytest

from auditor.sources import ROWS_AT_ONCE, Source
from deploy.failure import LaunchError
from deploy.provisioning import AUDITOR_ROLE
from tests.integration.auditor.conftest import SampleBooks
from tests.support.servers import Servers

ACCOUNTS = "SELECT count(*) FROM accounts"


@pytest.fixture
def ledger(sample_books: SampleBooks, test_servers: Servers) -> Iterator[Source]:
    """Return a connection of the auditor to a copy of the ledger that the test may change."""
    sample_books.damage("balance")
    source = Source(test_servers.postgres_url(sample_books.names["balance"], AUDITOR_ROLE))
    yield source
    source.close()


def open_account(books: SampleBooks) -> None:
    books.damage(
        "balance",
        "INSERT INTO accounts (account_id, kind, user_id, currency, balance_minor)"
        " VALUES (gen_random_uuid(), 'user', gen_random_uuid(), 'RUB', 0)",
    )


def test_second_connection_shares_the_snapshot(sample_books: SampleBooks, ledger: Source) -> None:
    ledger.take_snapshot()
    before = ledger.rows(ACCOUNTS)
    open_account(sample_books)
    beside = ledger.beside()
    try:
        assert beside.rows(ACCOUNTS) == ledger.rows(ACCOUNTS) == before
        ledger.take_snapshot()
        assert ledger.rows(ACCOUNTS) == [(before[0][0] + 1,)]
        assert beside.rows(ACCOUNTS) == before
    finally:
        beside.close()


def test_second_connection_is_read_only(ledger: Source) -> None:
    beside = ledger.beside()
    try:
        with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
            beside.rows("CREATE TEMPORARY TABLE notes (note text)")
    finally:
        beside.close()


def test_stream_returns_every_row_once_and_in_order(ledger: Source) -> None:
    count = 3 * ROWS_AT_ONCE + 17
    numbers = ledger.stream("SELECT n FROM generate_series(1, %(count)s) n ORDER BY n", {"count": count})
    squares = ledger.stream("SELECT n * n FROM generate_series(1, 2) n ORDER BY n")
    assert list(numbers) == [(number,) for number in range(1, count + 1)]
    assert list(squares) == [(1,), (4,)]


def test_error_in_the_middle_of_a_stream_is_raised(ledger: Source) -> None:
    rows = ledger.stream("SELECT 1 / (%(last)s - n) FROM generate_series(1, 2 * %(last)s) n", {"last": ROWS_AT_ONCE})
    with pytest.raises(psycopg2.errors.DivisionByZero):
        list(rows)


@pytest.mark.parametrize(("service", "table"), [("balance", "entries"), ("checks", "checks"), ("payments", "topups")])
def test_missing_privilege_fails_the_audit(sample_books: SampleBooks, service: str, table: str) -> None:
    sample_books.run(service, f"REVOKE SELECT ON {table} FROM {AUDITOR_ROLE}")  # noqa: S608
    with pytest.raises(LaunchError, match=f"permission denied for table {table}"):
        sample_books.audit()
