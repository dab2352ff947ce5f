"""Use cases of top-ups. No transaction is open while a bank is being asked."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

from common.db.idempotency import IdempotencyKey
from common.http.server.paging import Page, decode_cursor, page_of
from services.payments.config import origin_of
from services.payments.context import Context
from services.payments.errors import CurrencyNotAccepted, ReturnUrlNotAllowed, TopUpNotFound
from services.payments.models import Attempt, TopUp
from services.payments.notifications import repository as notifications
from services.payments.notifications.repository import StoredNotification
from services.payments.refunds import repository as refunds
from services.payments.refunds.models import Refund
from services.payments.topups import opening, repository
from services.payments.topups.opening import NewTopUp, Opened

_NO_CURSOR: Final = 2**63 - 1


def start_topup(context: Context, wanted: NewTopUp, key: IdempotencyKey | None) -> Opened:
    """Make a top-up and a payment for it at the bank; the same key gives the same one.

    Raises ReturnUrlNotAllowed, CurrencyNotAccepted, TopUpUnavailable (ask again with the same key),
    TopUpRefusedByBank, and what idempotency keys raise.
    """
    try:
        origin = origin_of(wanted.return_url)
    except ValueError:
        origin = ""
    if origin not in context.settings.allowed_return_origins:
        raise ReturnUrlNotAllowed(errors={"returnUrl": "is not on the list of allowed origins"})
    if wanted.currency not in context.settings.currencies:
        raise CurrencyNotAccepted(errors={"currency": "is not accepted for top-ups"})
    return opening.open_topup(context, wanted, uuid4(), key)


def get_topup(context: Context, topup_id: UUID, user_id: UUID) -> TopUp:
    """One of the user's own; raises TopUpNotFound."""
    with context.db.autocommit() as tx:
        topup = repository.find_of_user(tx, topup_id, user_id)
    if topup is None:
        raise TopUpNotFound
    return topup


def list_topups(context: Context, user_id: UUID, limit: int, cursor: str | None) -> Page[TopUp]:
    """A page of the user's top-ups, newest first; raises InvalidRequest for a foreign cursor."""
    before_no = int(str(decode_cursor(cursor, int)[0])) if cursor else _NO_CURSOR
    with context.db.autocommit() as tx:
        found = repository.list_of_user(tx, user_id, before_no=before_no, limit=limit + 1)
    return page_of(found, limit, lambda topup: (topup.topup_no,))


@dataclass(frozen=True, slots=True)
class TopUpDetails:
    """A top-up with all that happened to it."""

    topup: TopUp
    attempts: list[Attempt]
    notifications: list[StoredNotification]
    refunds: list[Refund]


def story(context: Context, topup_id: UUID) -> TopUpDetails:
    """Everything about one top-up; raises TopUpNotFound."""
    with context.db.transaction() as tx:
        found = repository.find(tx, topup_id)
        if found is None:
            raise TopUpNotFound
        return TopUpDetails(
            found.topup,
            repository.attempts_of(tx, topup_id),
            notifications.of_topup(tx, topup_id),
            refunds.of_topup(tx, topup_id),
        )
