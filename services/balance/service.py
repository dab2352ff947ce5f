"""Use cases of the ledger. All are idempotent: a transfer's id is derived from its cause."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from common.core.clock import Clock
from common.db.connection import Connection
from common.db.engine import Database
from common.db.errors import FOREIGN_KEY_VIOLATION, UNIQUE_VIOLATION, retry_on_conflict, sqlstate
from common.http.server.paging import Page, decode_cursor, page_of
from services.balance import repository
from services.balance.errors import InsufficientFunds, TimeInFuture, TransferConflict
from services.balance.models import Posting, StatementLine, user_account_id

_NO_CURSOR = 2**63 - 1


@retry_on_conflict
def debit(db: Database, posting: Posting) -> None:
    """Debit a user (a hold, or a refund of a top-up), once per cause.

    Raises InsufficientFunds, which is final for this cause, and TransferConflict if the cause is known with another
    user, amount or currency. A successful debit costs one statement and one commit.
    """
    with db.autocommit() as tx:
        try:
            if repository.debit(tx, posting):
                return
        except IntegrityError as error:
            # A concurrent copy of the same command was posted; its outcome is read below.
            if sqlstate(error) != UNIQUE_VIOLATION:
                raise
        if repository.record_refusal(tx, posting):
            raise InsufficientFunds
        found = repository.find_outcome(tx, posting)
    if found is None or not found[1]:
        raise TransferConflict
    if found[0] == "refused":
        raise InsufficientFunds


@retry_on_conflict
def credit(db: Database, posting: Posting) -> None:
    """Credit a user (settle or release a check), once per cause; raises TransferConflict."""
    try:
        with db.autocommit() as tx:
            if repository.credit_one(tx, posting) or repository.posted_among(tx, [posting.transfer_id]):
                return
    except IntegrityError as error:
        # The check has no open hold of this amount.
        if sqlstate(error) != FOREIGN_KEY_VIOLATION:
            raise
        raise TransferConflict from error
    raise TransferConflict


def credit_all(tx: Connection, postings: Sequence[Posting]) -> None:
    """Credit many users in the caller's transaction; skip transfers that are posted already.

    Raises TransferConflict if a check was closed in another way before. The same money was then promised twice, which
    an operator must resolve.
    """
    by_id = {posting.transfer_id: posting for posting in postings}
    posted = repository.credit(tx, list(by_id.values()))
    missing = set(by_id) - posted
    if missing and missing - repository.posted_among(tx, list(missing)):
        raise TransferConflict


def get_balance(db: Database, clock: Clock, user_id: UUID, currency: str, at: datetime | None) -> int:
    """Return the balance in minor units, now or at the end of the second ``at``; raises TimeInFuture."""
    account_id = user_account_id(user_id, currency)
    with db.autocommit() as tx:
        if at is None:
            return repository.balance_of(tx, account_id)
        if at > clock.now():
            raise TimeInFuture(errors={"at": "must not be in the future"})
        # The API shows times in whole seconds, so ``at`` covers its whole second.
        return repository.balance_before(tx, account_id, at.replace(microsecond=0) + timedelta(seconds=1))


def get_statement(db: Database, user_id: UUID, currency: str, limit: int, cursor: str | None) -> Page[StatementLine]:
    """Return a page of the user's statement, newest first; raises InvalidRequest for an invalid cursor."""
    before = decode_cursor(cursor, int)[0] if cursor else _NO_CURSOR
    with db.autocommit() as tx:
        lines = repository.statement(
            tx, user_account_id(user_id, currency), before_entry_id=int(str(before)), limit=limit + 1
        )
    return page_of(lines, limit, lambda line: (line.entry_id,))
