"""Use cases of top-ups. No transaction is open during a call to a bank."""

from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID, uuid4

from common.core.money import ACCEPTED_CURRENCIES
from common.db.idempotency import IdempotencyKey
from common.http.server.paging import Page, decode_cursor, page_of
from services.payments.config import canonical_url, origin_of
from services.payments.context import Context
from services.payments.errors import CurrencyNotAccepted, ReturnUrlNotAllowed, TopUpNotFound
from services.payments.models import Attempt, AttemptState, TopUp, TopUpStatus
from services.payments.notifications import repository as notifications
from services.payments.notifications.repository import StoredNotification
from services.payments.refunds import repository as refunds
from services.payments.refunds.models import Refund
from services.payments.topups import opening, repository
from services.payments.topups.opening import NewTopUp, Opened

_NO_CURSOR: Final = 2**63 - 1


def start_topup(context: Context, new_topup: NewTopUp, key: IdempotencyKey | None) -> Opened:
    """Create a top-up and its payment at the bank. A repeat with the same key returns the same top-up.

    Raises ReturnUrlNotAllowed, CurrencyNotAccepted, TopUpUnavailable (retry with the same key), TopUpRefusedByBank,
    TopUpNeverStarted, and the errors of idempotency keys.
    """
    try:
        origin = origin_of(new_topup.return_url)
    except ValueError:
        origin = ""
    if origin not in context.settings.allowed_return_origins:
        raise ReturnUrlNotAllowed(errors={"returnUrl": "is not on the list of allowed origins"})
    if new_topup.currency not in ACCEPTED_CURRENCIES:
        raise CurrencyNotAccepted(errors={"currency": "is not accepted for top-ups"})
    new_topup = replace(new_topup, return_url=canonical_url(new_topup.return_url))
    return opening.open_topup(context, new_topup, uuid4(), key)


def get_topup(context: Context, topup_id: UUID, user_id: UUID) -> tuple[TopUp, str | None]:
    """Return a top-up of this user, with the URL of its payment page while it can be paid; raise TopUpNotFound."""
    with context.db.autocommit() as tx:
        found = repository.find(tx, topup_id)
    if found is None or found.topup.user_id != user_id:
        raise TopUpNotFound
    topup, attempt = found.topup, found.attempt
    is_payable = (
        topup.status is TopUpStatus.PENDING
        and attempt.state is AttemptState.PAYABLE
        and topup.expires_at > context.clock.now()
    )
    return topup, attempt.payment_url if is_payable else None


def list_topups(context: Context, user_id: UUID, limit: int, cursor: str | None) -> Page[TopUp]:
    """Return a page of the user's top-ups, newest first; raise InvalidRequest for a foreign cursor."""
    before_no = int(str(decode_cursor(cursor, int)[0])) if cursor else _NO_CURSOR
    with context.db.autocommit() as tx:
        found = repository.list_of_user(tx, user_id, before_no=before_no, limit=limit + 1)
    return page_of(found, limit, lambda topup: (topup.topup_no,))


@dataclass(frozen=True, slots=True)
class TopUpDetails:
    """A top-up with its attempts, notifications and refunds."""

    topup: TopUp
    attempts: list[Attempt]
    notifications: list[StoredNotification]
    refunds: list[Refund]


def get_details(context: Context, topup_id: UUID) -> TopUpDetails:
    """Return one top-up with its history; raise TopUpNotFound."""
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
