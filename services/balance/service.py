"""Use cases of the ledger. Every one may be repeated: the cause determines the transfer's id."""

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
from services.balance.errors import InsufficientFunds, MomentInFuture, TransferConflict
from services.balance.models import Posting, StatementLine, user_account_id

_NO_CURSOR = 2**63 - 1


@retry_on_conflict
def debit(db: Database, posting: Posting) -> None:
    """Take money from a user (a hold, or a refund of a top-up), once per cause.

    Raises InsufficientFunds, which is final for this cause, and TransferConflict when the cause is
    known with other particulars. One statement and one commit where the money is there.
    """
    with db.autocommit() as tx:
        try:
            if repository.debit(tx, posting):
                return
        except IntegrityError as error:
            # Two copies of one command at the same time: the other one is posted, see below.
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
    """Give money to a user at once (settle or release a check), once per cause; raises TransferConflict."""
    try:
        with db.autocommit() as tx:
            if repository.credit_one(tx, posting) or repository.posted_among(tx, [posting.transfer_id]):
                return
    except IntegrityError as error:
        # The database found no open hold of this amount for this check.
        if sqlstate(error) != FOREIGN_KEY_VIOLATION:
            raise
        raise TransferConflict from error
    raise TransferConflict


def credit_all(tx: Connection, postings: Sequence[Posting]) -> None:
    """Give money to many users in the transaction of the caller. What is posted already is left alone.

    Raises TransferConflict when a check was closed in another way before: somebody was promised the same
    money twice, and a person must look.
    """
    wanted = {posting.transfer_id: posting for posting in postings}
    posted = repository.credit(tx, list(wanted.values()))
    missing = set(wanted) - posted
    if missing and missing - repository.posted_among(tx, list(missing)):
        raise TransferConflict


def get_balance(db: Database, clock: Clock, user_id: UUID, currency: str, at: datetime | None) -> int:
    """What the user may spend, now or at the end of a second in the past, in minor units."""
    account_id = user_account_id(user_id, currency)
    with db.autocommit() as tx:
        if at is None:
            return repository.balance_of(tx, account_id)
        if at > clock.now():
            raise MomentInFuture(errors={"at": "must not be in the future"})
        # Times are shown in whole seconds, so a moment means the whole second that carries its name.
        return repository.balance_before(tx, account_id, at.replace(microsecond=0) + timedelta(seconds=1))


def get_statement(db: Database, user_id: UUID, currency: str, limit: int, cursor: str | None) -> Page[StatementLine]:
    """A page of the user's statement, newest first; raises InvalidRequest for a foreign cursor."""
    before = decode_cursor(cursor, int)[0] if cursor else _NO_CURSOR
    with db.autocommit() as tx:
        lines = repository.statement(
            tx, user_account_id(user_id, currency), before_entry_id=int(str(before)), limit=limit + 1
        )
    return page_of(lines, limit, lambda line: (line.entry_id,))
