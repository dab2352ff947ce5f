"""Use cases of the ledger. All are idempotent: a transfer's id is derived from its cause."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError

from common.core.clock import Clock
from common.core.grouping import ALONE, Alone
from common.db.engine import Database
from common.db.errors import (
    FOREIGN_KEY_VIOLATION,
    UNIQUE_VIOLATION,
    is_conflict,
    is_rolled_back,
    retry_on_conflict,
    sqlstate,
)
from common.http.server.paging import Page, decode_cursor, page_of
from services.balance import repository
from services.balance.context import Context
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


def hold(context: Context, posting: Posting) -> None:
    """Debit a user as :func:`debit`, together with concurrent holds of this process."""
    context.debits.submit(posting, partial(debit_many, context.db), partial(debit, context.db, posting))


def end_hold(context: Context, posting: Posting) -> None:
    """Credit a user (settle or release a check) as :func:`credit`, together with concurrent ones of this process."""
    context.credits.submit(posting, partial(credit_many, context.db), partial(credit, context.db, posting))


@retry_on_conflict
def debit_many(db: Database, postings: Sequence[Posting]) -> list[Alone | None]:
    """Debit users in one transaction; return, for each posting, None if it is posted, and else ALONE.

    Waits for no lock and refuses nothing, because a refusal is final: a posting of a locked account, one that the
    balance does not cover beside the others, and one whose transfer exists must run alone. No posting has an effect if
    it raises.
    """
    try:
        with db.transaction() as tx:
            balances = repository.lock_free_accounts(tx, {posting.account_id for posting in postings})
            covered = _covered(postings, balances)
            posted = repository.debit_many(tx, covered) if covered else set()
    except DBAPIError as error:
        return _all_alone(postings, error)
    return _first_of(posted, postings)


def _covered(postings: Sequence[Posting], balances: dict[UUID, int]) -> list[Posting]:
    """Return the postings that the balances cover, taken in order. Of equal transfers, return the first."""
    covered: dict[UUID, Posting] = {}
    left = dict(balances)
    for posting in postings:
        if posting.transfer_id not in covered and left.get(posting.account_id, 0) >= posting.amount_minor:
            covered[posting.transfer_id] = posting
            left[posting.account_id] -= posting.amount_minor
    return list(covered.values())


@retry_on_conflict
def credit_many(db: Database, postings: Sequence[Posting]) -> list[Alone | None]:
    """Credit users in one transaction; return, for each posting, None if it is posted now, and else ALONE.

    A posting whose transfer exists must run alone, and all of them if one contradicts the ledger. No posting has an
    effect if it raises.
    """
    by_id: dict[UUID, Posting] = {}
    for posting in postings:
        by_id.setdefault(posting.transfer_id, posting)
    try:
        with db.transaction() as tx:
            posted = repository.credit(tx, list(by_id.values()))
    except DBAPIError as error:
        return _all_alone(postings, error)
    return _first_of(posted, postings)


def _all_alone(postings: Sequence[Posting], error: DBAPIError) -> list[Alone | None]:
    """Return ALONE for each posting of a group that was rolled back; raise conflicts and lost connections."""
    if is_conflict(error) or not is_rolled_back(error):
        raise error
    return [ALONE] * len(postings)


def _first_of(posted: set[UUID], postings: Sequence[Posting]) -> list[Alone | None]:
    """Return None for the first posting of each posted transfer, ALONE for the others."""
    left = set(posted)
    outcomes: list[Alone | None] = []
    for posting in postings:
        outcomes.append(None if posting.transfer_id in left else ALONE)
        left.discard(posting.transfer_id)
    return outcomes


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


def get_statement(
    db: Database,
    user_id: UUID,
    currency: str,
    limit: int,
    cursor: str | None,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Page[StatementLine]:
    """Return a page of the user's statement, newest first; raises InvalidRequest for an invalid cursor.

    ``since`` and ``until`` bound the period. Each costs a binary search, so a page costs the same in any period.
    """
    before = int(str(decode_cursor(cursor, int)[0])) if cursor else _NO_CURSOR
    account_id = user_account_id(user_id, currency)
    with db.autocommit() as tx:
        first = repository.first_entry_from(tx, account_id, since) if since else 0
        end = min(before, repository.first_entry_from(tx, account_id, until)) if until else before
        lines = repository.statement(tx, account_id, from_entry_id=first, before_entry_id=end, limit=limit + 1)
    return page_of(lines, limit, lambda line: (line.entry_id,))
