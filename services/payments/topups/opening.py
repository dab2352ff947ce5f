"""Open a payment page for a top-up, and recover from lost responses of the bank.

If the bank's response to a creation is lost, a payment may exist whose page no user was given. Such an attempt is
voided, looked up at the bank and cancelled there. Only then is another payment created under a new order number.
Where creation is idempotent at the bank (``creation_is_repeatable``), the same attempt is sent again instead.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from common.core.logging import get_logger
from common.db import idempotency
from common.db.idempotency import IdempotencyKey, RequestInProgress, StoredAnswer
from services.payments import log_events
from services.payments.banks.base import (
    Bank,
    BankRefused,
    BankUnavailable,
    Notification,
    PaymentNotFound,
    PaymentStatus,
)
from services.payments.context import Context
from services.payments.errors import TooManyPendingTopUps, TopUpNeverStarted, TopUpRefusedByBank, TopUpUnavailable
from services.payments.models import Attempt, AttemptState, TopUp, TopUpStatus, order_id_of, order_of
from services.payments.notifications.repository import Evidence
from services.payments.notifications.service import apply_notification
from services.payments.topups import repository
from services.payments.topups.repository import Located

log = get_logger(__name__)

OPERATION: Final = "topup"
#: Equal to the gateway's time-out: after that no client receives the response. If the process died, a retry waits no
#: longer than this. If it is still running, its attempt is voided before another one is created.
LEASE_SECONDS: Final = 15
#: Retry within the same request only if the first attempt failed within this time, because a user is waiting.
RETRY_WITHIN_SECONDS: Final = 1.5


@dataclass(frozen=True, slots=True)
class NewTopUp:
    """A request for a top-up. ``amount_minor`` is in minor units."""

    user_id: UUID
    amount_minor: int
    currency: str
    return_url: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A top-up with its payment page. ``replayed``: the response of an earlier request with the same key."""

    topup: TopUp
    payment_url: str
    replayed: bool = False


def open_topup(context: Context, new_topup: NewTopUp, topup_id: UUID, key: IdempotencyKey | None) -> Opened:
    """Create a top-up, or find the one of the idempotency key, and open its payment page.

    Raises TopUpUnavailable, TopUpRefusedByBank, TopUpNeverStarted, and the errors of idempotency keys.
    """
    started = monotonic()
    now = context.clock.now()
    busy_until = now + timedelta(seconds=LEASE_SECONDS)
    topup = TopUp(
        topup_id=topup_id,
        topup_no=0,
        user_id=new_topup.user_id,
        bank=context.settings.bank,
        amount_minor=new_topup.amount_minor,
        currency=new_topup.currency,
        status=TopUpStatus.PENDING,
        return_url=new_topup.return_url,
        created_at=now,
        expires_at=now + timedelta(seconds=context.settings.topup_lifetime_seconds),
        confirmed_at=None,
        refunded_minor=0,
        polls=0,
    )
    stored = _claim_or_insert(context, topup, busy_until, key)
    if stored is None:
        attempt = Attempt(topup_id, 1, order_id_of(topup_id, 1), AttemptState.CREATING, None, None)
        return _open_with_retry(context, topup, attempt, first=True, started=started)
    found = _resume(context, stored, now, busy_until)
    if found.attempt.payment_url is not None:
        return Opened(found.topup, found.attempt.payment_url, replayed=True)
    return _open_with_retry(context, found.topup, found.attempt, first=False, started=started)


def _claim_or_insert(
    context: Context, topup: TopUp, busy_until: datetime, key: IdempotencyKey | None
) -> StoredAnswer | None:
    """Insert the top-up and store the key in one transaction, before the bank can send a notification.

    Returns the stored response if the key was used before. Raises TooManyPendingTopUps.
    """
    bank_order_id = order_id_of(topup.topup_id, 1)
    if key is None:
        with context.db.autocommit() as tx:
            _insert(context, tx, topup, bank_order_id, busy_until)
        return None
    with context.db.transaction() as tx:
        stored = idempotency.claim(tx, key)
        if stored is None:
            _insert(context, tx, topup, bank_order_id, busy_until)
            # A replay builds its response from the row, so that the key stores only the id of the top-up.
            idempotency.store(tx, key, 201, b"", topup.topup_id)
    return stored


def _insert(context: Context, tx: Connection, topup: TopUp, bank_order_id: str, busy_until: datetime) -> None:
    settings = context.settings
    limit = {"most_pending": settings.topups_pending_per_user} if settings.rate_limit_enabled else {}
    if repository.insert(tx, topup, bank_order_id, busy_until=busy_until, **limit) is None:
        raise TooManyPendingTopUps


def _resume(context: Context, stored: StoredAnswer, now: datetime, busy_until: datetime) -> Located:
    """Return the top-up of a used key. Claims the lease of a top-up without a page, so that the caller opens it."""
    with context.db.autocommit() as tx:
        found = repository.find(tx, stored.subject_id) if stored.subject_id else None
        if found is None:
            raise TopUpNeverStarted
        if found.attempt.payment_url is not None:
            return found
        # Rejected by the bank at creation. A key always gets the same error, whatever else happened later.
        if found.topup.status is TopUpStatus.FAILED and found.attempt.state is AttemptState.VOID:
            raise TopUpRefusedByBank
        if found.topup.status is not TopUpStatus.PENDING or found.topup.expires_at <= now:
            raise TopUpNeverStarted
        if not repository.claim_lease(tx, found.topup.topup_id, now=now, busy_until=busy_until):
            raise RequestInProgress
    return found


def _open_with_retry(context: Context, topup: TopUp, attempt: Attempt, *, first: bool, started: float) -> Opened:
    """Open the page, with one retry if the first attempt fails quickly.

    Raises TopUpUnavailable, TopUpRefusedByBank.
    """
    try:
        try:
            return _open_page(context, topup, attempt, first=first)
        except BankUnavailable:
            if monotonic() - started > RETRY_WITHIN_SECONDS:
                raise
            current = _current_attempt(context, topup)
            if current.payment_url is not None:
                # The lease has expired meanwhile, and another request has opened the page.
                return Opened(topup, current.payment_url)
            # The first try may have replaced the attempt.
            return _open_page(context, topup, current, first=False)
    except BankUnavailable as error:
        log.warning(log_events.TOPUP_OPENING_FAILED, bank=topup.bank, topup_id=str(topup.topup_id), error=str(error))
        with context.db.autocommit() as tx:
            repository.release_lease(tx, topup.topup_id)
        raise TopUpUnavailable from error


def _current_attempt(context: Context, topup: TopUp) -> Attempt:
    with context.db.autocommit() as tx:
        found = repository.find(tx, topup.topup_id)
    if found is None:
        raise TopUpNeverStarted
    return found.attempt


def _open_page(context: Context, topup: TopUp, attempt: Attempt, *, first: bool) -> Opened:
    bank = context.banks[topup.bank]
    if not first and not bank.creation_is_repeatable:
        attempt = give_up_attempt(context, bank, topup, attempt)
    order = order_of(topup, attempt, context.settings.topup_description)
    try:
        payment = bank.create_payment(order, context.return_url(topup.topup_id), context.callback_url(bank.name))
    except BankRefused as error:
        log.warning(log_events.TOPUP_REJECTED, bank=bank.name, topup_id=str(topup.topup_id), error=str(error))
        with context.db.transaction() as tx:
            repository.save_status(tx, topup, TopUpStatus.FAILED, now=context.clock.now())
            repository.void_attempt(tx, bank.name, attempt, note=f"refused: {error}"[:500])
        raise TopUpRefusedByBank from error
    first_poll = timedelta(seconds=context.settings.topup_poll_first_seconds)
    with context.db.autocommit() as tx:
        stored = repository.store_payment(
            tx,
            topup,
            attempt,
            bank_payment_id=payment.bank_payment_id,
            payment_url=payment.payment_url,
            next_poll_at=context.clock.now() + first_poll,
        )
    if not stored:
        raise BankUnavailable("this attempt was voided during the call to the bank")
    return Opened(topup, payment.payment_url)


def give_up_attempt(context: Context, bank: Bank, topup: TopUp, attempt: Attempt) -> Attempt:
    """Void and cancel an attempt whose page is unknown, and return a new attempt in its place.

    The attempt is voided first: from then on no concurrent request can hand out its page, so it is safe to cancel it.
    Raises BankUnavailable if the bank is unreachable, if it has received money for the attempt, or if another request
    has opened the page.
    """
    void_attempt(context, topup, attempt)
    notification, note = close_at_bank(context, bank, topup, attempt)
    if notification is not None and notification.status in (PaymentStatus.CONFIRMED, PaymentStatus.HELD):
        raise BankUnavailable("the bank has received money for a page that no user was given")
    attempt_no = attempt.attempt_no + 1
    order_id = order_id_of(topup.topup_id, attempt_no)
    with context.db.transaction() as tx:
        repository.note_on_attempt(
            tx, bank.name, attempt, bank_payment_id=notification.bank_payment_id if notification else None, note=note
        )
        if not repository.add_attempt(tx, topup, attempt_no=attempt_no, bank_order_id=order_id):
            raise BankUnavailable("another request is opening this top-up")
    log.info(
        log_events.ATTEMPT_VOIDED,
        bank=bank.name,
        topup_id=str(topup.topup_id),
        attempt_no=attempt.attempt_no,
        note=note,
    )
    return Attempt(topup.topup_id, attempt_no, order_id, AttemptState.CREATING, None, None)


def void_attempt(context: Context, topup: TopUp, attempt: Attempt) -> None:
    """Void an attempt, if it is not void yet; raise BankUnavailable if its page is known by now."""
    if attempt.state is AttemptState.VOID:
        return
    with context.db.autocommit() as tx:
        if not repository.void_attempt(tx, topup.bank, attempt, note="its page is unknown"):
            raise BankUnavailable("another request is opening this top-up")


def close_at_bank(context: Context, bank: Bank, topup: TopUp, attempt: Attempt) -> tuple[Notification | None, str]:
    """Cancel the payment of an attempt at the bank if it is open.

    Returns the bank's status report, None if it has no such payment, and a note for operators. Raises BankUnavailable.
    """
    order = order_of(topup, attempt, context.settings.topup_description)
    try:
        notification = bank.fetch_status(order)
    except PaymentNotFound:
        return None, "the bank has no payment for this order"
    if notification.status is not PaymentStatus.OPEN:
        if notification.status is PaymentStatus.CONFIRMED:
            # Not expected, but real money: process it like any other notification.
            apply_notification(context, bank, notification, Evidence("poll"))
        return notification, f"status at the bank: {notification.bank_status}"
    try:
        bank.cancel_payment(notification.bank_payment_id)
    except BankRefused as error:
        return notification, f"left open at the bank, which rejected the cancellation: {error}"[:500]
    return notification, "cancelled at the bank: no user was given its page"
