"""The cost of reading one account does not depend on the entries of other accounts."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Connection, text

from benchmarks import big_books
from common.core.ids import derived_id
from common.core.settings import DatabaseSettings
from common.db.engine import Database
from services.balance import repository
from tests.support.servers import Servers

LIMIT = 5
#: Checks in the books. They make some thousand entries, of which the reader has a few.
CHECKS = 1_000
MICROSECOND = timedelta(microseconds=1)
_HISTORY = """
    SELECT entry_id, created_at, balance_after FROM entries
     WHERE account_id = :account_id AND balance_after IS NOT NULL ORDER BY entry_id
"""
_READ = "SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'entries'"


@pytest.mark.parametrize(
    "read",
    [
        lambda tx, account: repository.statement(tx, account, from_entry_id=0, before_entry_id=2**62, limit=LIMIT),
        lambda tx, account: repository.balance_before(tx, account, datetime.now(UTC)),
    ],
    ids=["statement", "balance at a time"],
)
def test_read_touches_only_entries_of_its_account(
    make_database: Callable[[str], str], test_servers: Servers, read: Callable[[Connection, object], object]
) -> None:
    database, (*_, reader) = _books(make_database, test_servers)
    try:
        before = _entries_read(database)
        with database.autocommit() as tx:
            assert read(tx, derived_id("account", reader, "RUB"))
        assert _entries_read(database) - before <= 2 * LIMIT
    finally:
        database.dispose()


def _books(make_database: Callable[[str], str], test_servers: Servers) -> tuple[Database, list[UUID]]:
    """Generate books. Return the database of balance and three users, the busiest first."""
    urls = {service: make_database(service) for service in big_books.SERVICES}
    users = [uuid4() for _ in range(3)]
    big_books.write(
        {service: test_servers.postgres_url(url.rsplit("/", 1)[1]) for service, url in urls.items()},
        checks=CHECKS,
        known=users,
        code_key=Fernet.generate_key().decode(),
    )
    return Database(urls["balance"], settings=DatabaseSettings(), application_name="test"), users


def test_balance_at_a_time_is_that_of_the_last_entry_before_it(
    make_database: Callable[[str], str], test_servers: Servers
) -> None:
    database, (user, *_) = _books(make_database, test_servers)
    account = derived_id("account", user, "RUB")
    try:
        with database.autocommit() as tx:
            history = list(tx.execute(text(_HISTORY), {"account_id": account}))
            assert len(history) > LIMIT
            before_all = repository.balance_before(tx, account, history[0].created_at)
            at_each = [repository.balance_before(tx, account, entry.created_at + MICROSECOND) for entry in history]
            right_before = [repository.balance_before(tx, account, entry.created_at) for entry in history]
            unknown_account = repository.balance_before(tx, uuid4(), datetime.now(UTC))
    finally:
        database.dispose()
    balances = [entry.balance_after for entry in history]
    assert (before_all, unknown_account) == (0, 0)
    assert at_each == balances
    assert right_before == [0, *balances[:-1]]


def test_balance_long_ago_reads_few_entries(make_database: Callable[[str], str], test_servers: Servers) -> None:
    database, (user, *_) = _books(make_database, test_servers)
    account = derived_id("account", user, "RUB")
    try:
        with database.autocommit() as tx:
            history = list(tx.execute(text(_HISTORY), {"account_id": account}))
        before = _entries_read(database)
        with database.autocommit() as tx:
            repository.balance_before(tx, account, history[1].created_at)
        most = math.ceil(math.log2(history[-1].entry_id)) + 1
        assert _entries_read(database) - before <= most < len(history)
    finally:
        database.dispose()


def _entries_read(database: Database) -> int:
    with database.autocommit() as tx:
        tx.execute(text("SELECT pg_stat_force_next_flush()"))
        return int(tx.execute(text(_READ)).scalar_one())
