"""The ledger on a new database, and short names for its operations."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from common.core.clock import SystemClock
from common.core.settings import DatabaseSettings
from common.db.engine import Database
from services.balance import service
from services.balance.models import Posting, TransferKind


@dataclass(frozen=True, slots=True)
class Ledger:
    """The operations on the ledger that the tests perform. Amounts are in kopecks."""

    db: Database

    def top_up(self, user_id: UUID, amount_minor: int) -> Posting:
        posting = Posting(TransferKind.TOPUP, uuid4(), user_id, amount_minor, "RUB", "a top-up")
        service.credit(self.db, posting)
        return posting

    def hold(self, user_id: UUID, amount_minor: int, check_id: UUID | None = None) -> Posting:
        posting = Posting(
            TransferKind.CHECK_CREATED, check_id or uuid4(), user_id, amount_minor, "RUB", "0000-0000-0001"
        )
        service.debit(self.db, posting)
        return posting

    def end(self, hold: Posting, kind: TransferKind, user_id: UUID) -> None:
        service.credit(self.db, Posting(kind, hold.subject_id, user_id, hold.amount_minor, "RUB", hold.reference))

    def balance(self, user_id: UUID) -> int:
        return service.get_balance(self.db, SystemClock(), user_id, "RUB", None)

    def total_of_all_entries(self) -> int:
        with self.db.autocommit() as tx:
            return int(tx.execute(text("SELECT COALESCE(sum(amount_minor), 0) FROM entries")).scalar_one())


@pytest.fixture
def ledger(make_database: Callable[[str], str]) -> Iterator[Ledger]:
    db = Database(make_database("balance"), settings=DatabaseSettings(), application_name="test")
    yield Ledger(db)
    db.dispose()
