"""How the auditor reads: two connections with one picture, and rows that come while others are looked at."""

from collections.abc import Iterator

import psycopg2
import pytest

from auditor.sources import ROWS_AT_ONCE, Source
from deploy.failure import LaunchError
from deploy.provisioning import AUDITOR_ROLE
from tests.integration.audit.conftest import Books
from tests.support.servers import Servers

ACCOUNTS = "SELECT count(*) FROM accounts"


@pytest.fixture
def ledger(books_of_town: Books, test_servers: Servers) -> Iterator[Source]:
    """The ledger of a town's copy that can be changed meanwhile."""
    books_of_town.damage("balance")
    source = Source(test_servers.postgres_url(books_of_town.names["balance"], AUDITOR_ROLE))
    yield source
    source.close()


def open_an_account(books: Books) -> None:
    books.damage(
        "balance",
        "INSERT INTO accounts (account_id, kind, user_id, currency, balance_minor)"
        " VALUES (gen_random_uuid(), 'user', gen_random_uuid(), 'RUB', 0)",
    )


def test_a_connection_beside_sees_the_same_picture(books_of_town: Books, ledger: Source) -> None:
    ledger.look_now()
    before = ledger.rows(ACCOUNTS)
    open_an_account(books_of_town)
    beside = ledger.beside()
    try:
        assert beside.rows(ACCOUNTS) == ledger.rows(ACCOUNTS) == before
        ledger.look_now()
        assert ledger.rows(ACCOUNTS) == [(before[0][0] + 1,)]
        assert beside.rows(ACCOUNTS) == before
    finally:
        beside.close()


def test_a_connection_beside_can_write_nothing(ledger: Source) -> None:
    beside = ledger.beside()
    try:
        with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
            beside.rows("CREATE TEMPORARY TABLE notes (note text)")
    finally:
        beside.close()


def test_every_row_comes_once_and_in_order(ledger: Source) -> None:
    count = 3 * ROWS_AT_ONCE + 17
    numbers = ledger.stream("SELECT n FROM generate_series(1, %(count)s) n ORDER BY n", {"count": count})
    squares = ledger.stream("SELECT n * n FROM generate_series(1, 2) n ORDER BY n")
    assert list(numbers) == [(number,) for number in range(1, count + 1)]
    assert list(squares) == [(1,), (4,)]


def test_what_fails_in_the_middle_of_a_stream_is_told(ledger: Source) -> None:
    rows = ledger.stream("SELECT 1 / (%(last)s - n) FROM generate_series(1, 2 * %(last)s) n", {"last": ROWS_AT_ONCE})
    with pytest.raises(psycopg2.errors.DivisionByZero):
        list(rows)


@pytest.mark.parametrize(("service", "table"), [("balance", "entries"), ("checks", "checks"), ("payments", "topups")])
def test_neither_half_of_an_audit_fails_in_silence(books_of_town: Books, service: str, table: str) -> None:
    books_of_town.run(service, f"REVOKE SELECT ON {table} FROM {AUDITOR_ROLE}")  # noqa: S608
    with pytest.raises(LaunchError, match=f"permission denied for table {table}"):
        books_of_town.audit()
