"""A credit never fails on a unique key, however many transactions write the account concurrently."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

from sqlalchemy import text

from common.core.settings import DatabaseSettings
from common.db.engine import Database
from services.balance import service
from services.balance.models import Posting, TransferKind
from tests.integration.balance.conftest import Ledger

_UNIQUE = """
    SELECT i.indexrelid::regclass::text FROM pg_index i WHERE i.indrelid = 'accounts'::regclass AND i.indisunique
"""


def test_accounts_have_one_unique_key(ledger: Ledger) -> None:
    """ON CONFLICT handles one key. With a second, a credit concurrent with an update can fail: see migration 0004."""
    with ledger.db.autocommit() as tx:
        assert [row[0] for row in tx.execute(text(_UNIQUE))] == ["accounts_pkey"]


def test_concurrent_first_credits_of_new_users_do_not_fail(ledger: Ledger) -> None:
    """All threads insert the same new accounts at the same time."""
    db = Database(ledger.db.url, settings=DatabaseSettings(database_pool_size=24), application_name="test")
    users = [uuid4() for _ in range(40)]

    def credit_all(number: int) -> None:
        for user in users:
            service.credit(db, Posting(TransferKind.TOPUP, uuid4(), user, 1 + number % 2, "RUB", "t"))

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(credit_all, range(20)))
    db.dispose()
    assert [ledger.balance(user) for user in users] == [30] * 40


def test_concurrent_credits_and_debits_of_few_accounts_do_not_fail(ledger: Ledger) -> None:
    """Rows move between pages while other statements search for them."""
    db = Database(ledger.db.url, settings=DatabaseSettings(database_pool_size=40), application_name="test")
    users = [uuid4() for _ in range(8)]
    for user in users:
        ledger.top_up(user, 100_000)

    def move(number: int) -> None:
        hold = Posting(TransferKind.CHECK_CREATED, uuid4(), users[number % 8], 100, "RUB", "c")
        service.debit(db, hold)
        target = users[(number + 3) % 8]
        service.credit(db, Posting(TransferKind.CHECK_ACCEPTED, hold.subject_id, target, 100, "RUB", "c"))

    with ThreadPoolExecutor(40) as pool:
        list(pool.map(move, range(1_200)))
    db.dispose()
    assert sum(ledger.balance(user) for user in users) == 800_000
