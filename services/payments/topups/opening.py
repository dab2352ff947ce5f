"""How a top-up gets its payment page, whatever happens on the way to the bank and back.

A payment at a bank can exist without our knowing its page: the bank made it, and its answer was lost. Nobody
was told that page, so nobody can pay there. Such an attempt is looked up at the bank, cancelled, given up and
recorded; only then the bank is asked for another payment under a new order number. Where the bank takes a
repeat for what it is (``creation_is_repeatable``), the same attempt is simply asked for again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Final
from uuid import UUID

from common.core.logging import get_logger
from common.db import idempotency
from common.db.idempotency import IdempotencyKey, RequestInProgress, StoredAnswer
from services.payments.banks.base import (
    Bank,
    BankRefused,
    BankUnavailable,
    Notification,
    PaymentNotFound,
    PaymentStatus,
)
from services.payments.context import Context
from services.payments.errors import TopUpNeverStarted, TopUpRefusedByBank, TopUpUnavailable
from services.payments.models import Attempt, AttemptState, TopUp, TopUpStatus, order_id_of, order_of
from services.payments.notifications.repository import Evidence
from services.payments.notifications.service import apply_notification
from services.payments.topups import repository
from services.payments.topups.repository import Located

log = get_logger(__name__)

OPERATION: Final = "topup"
#: As long as the gateway waits for us: nobody hears what a request says after that, and should it have died, its user
#: waits no longer than this. Where it lives on, nothing is lost: the attempt is given up before there is another.
LEASE_SECONDS: Final = 15
#: A second try within the same request is worth it only when the first failed quickly: a user waits.
RETRY_WITHIN_SECONDS: Final = 1.5


@dataclass(frozen=True, slots=True)
class NewTopUp:
    """What the user asks for."""

    user_id: UUID
    amount_minor: int
    currency: str
    return_url: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A top-up that can be paid. ``replayed``: the first answer to this key, again."""

    topup: TopUp
    payment_url: str
    replayed: bool = False


def open_topup(context: Context, wanted: NewTopUp, topup_id: UUID, key: IdempotencyKey | None) -> Opened:
    """Make a top-up, or find the one that the key belongs to, and have a page for it."""
    started = monotonic()
    now = context.clock.now()
    busy_until = now + timedelta(seconds=LEASE_SECONDS)
    topup = TopUp(
        topup_id=topup_id,
        topup_no=0,
        user_id=wanted.user_id,
        bank=context.settings.bank,
        amount_minor=wanted.amount_minor,
        currency=wanted.currency,
        status=TopUpStatus.PENDING,
        return_url=wanted.return_url,
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
    """The first commit: the top-up is there before the bank can speak of it, and the key is bound to it."""
    bank_order_id = order_id_of(topup.topup_id, 1)
    if key is None:
        with context.db.autocommit() as tx:
            repository.insert(tx, topup, bank_order_id, busy_until=busy_until)
        return None
    with context.db.transaction() as tx:
        stored = idempotency.claim(tx, key)
        if stored is None:
            repository.insert(tx, topup, bank_order_id, busy_until=busy_until)
            # The answer is made from the row when it is asked for again; what is kept is whose key it is.
            idempotency.store(tx, key, 201, b"", topup.topup_id)
    return stored


def _resume(context: Context, stored: StoredAnswer, now: datetime, busy_until: datetime) -> Located:
    """The top-up of a key that was used before: with its page, or for us to find one."""
    with context.db.autocommit() as tx:
        found = repository.find(tx, stored.subject_id) if stored.subject_id else None
        if found is None:
            raise TopUpNeverStarted
        if found.attempt.payment_url is not None:
            return found
        # Refused when it was to be opened. Whatever else ended it did so later: a key is told one ending for ever.
        if found.topup.status is TopUpStatus.FAILED and found.attempt.state is AttemptState.VOID:
            raise TopUpRefusedByBank
        if found.topup.status is not TopUpStatus.PENDING or found.topup.expires_at <= now:
            raise TopUpNeverStarted
        if not repository.claim_lease(tx, found.topup.topup_id, now=now, busy_until=busy_until):
            raise RequestInProgress
    return found


def _open_with_retry(context: Context, topup: TopUp, attempt: Attempt, *, first: bool, started: float) -> Opened:
    """Try, and once more if the first try failed quickly; raises TopUpUnavailable or TopUpRefusedByBank."""
    try:
        try:
            return _open_page(context, topup, attempt, first=first)
        except BankUnavailable:
            if monotonic() - started > RETRY_WITHIN_SECONDS:
                raise
            current = _current_attempt(context, topup)
            if current.payment_url is not None:
                # Slower than our lease: somebody else has found the page meanwhile.
                return Opened(topup, current.payment_url)
            # The first try may have put another attempt in the place of the one that it was given.
            return _open_page(context, topup, current, first=False)
    except BankUnavailable as error:
        log.warning("topup not opened", bank=topup.bank, topup_id=str(topup.topup_id), error=str(error))
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
        log.warning("topup refused by bank", bank=bank.name, topup_id=str(topup.topup_id), error=str(error))
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
        raise BankUnavailable("this attempt was given up while the bank was answering")
    return Opened(topup, payment.payment_url)


def give_up_attempt(context: Context, bank: Bank, topup: TopUp, attempt: Attempt) -> Attempt:
    """Make sure that an attempt whose page we never learned stays unpaid, and put a new one in its place.

    It is void for us first: from then on nobody can be told its page any more, by whoever may still be waiting for it
    to be made, and it is safe to cancel. Raises BankUnavailable when the bank cannot be asked, or when somebody else
    has found the page meanwhile.
    """
    void_attempt(context, topup, attempt)
    notification, note = close_at_bank(context, bank, topup, attempt)
    if notification is not None and notification.status in (PaymentStatus.CONFIRMED, PaymentStatus.HELD):
        raise BankUnavailable("the bank is taking money for a page that it told nobody")
    attempt_no = attempt.attempt_no + 1
    order_id = order_id_of(topup.topup_id, attempt_no)
    with context.db.transaction() as tx:
        repository.note_on_attempt(
            tx, bank.name, attempt, bank_payment_id=notification.bank_payment_id if notification else None, note=note
        )
        if not repository.add_attempt(tx, topup, attempt_no=attempt_no, bank_order_id=order_id):
            raise BankUnavailable("another request has taken this top-up over")
    log.info("attempt given up", bank=bank.name, topup_id=str(topup.topup_id), attempt_no=attempt.attempt_no, note=note)
    return Attempt(topup.topup_id, attempt_no, order_id, AttemptState.CREATING, None, None)


def void_attempt(context: Context, topup: TopUp, attempt: Attempt) -> None:
    """Give an attempt up for good, if that has not been done; raises BankUnavailable when its page is known by now."""
    if attempt.state is AttemptState.VOID:
        return
    with context.db.autocommit() as tx:
        if not repository.void_attempt(tx, topup.bank, attempt, note="its page was never learned"):
            raise BankUnavailable("another request has taken this top-up over")


def close_at_bank(context: Context, bank: Bank, topup: TopUp, attempt: Attempt) -> tuple[Notification | None, str]:
    """Ask for an attempt's payment and cancel it if it is open; returns what the bank knew, and what was done."""
    order = order_of(topup, attempt, context.settings.topup_description)
    try:
        notification = bank.fetch_status(order)
    except PaymentNotFound:
        return None, "the bank knows no payment for this order"
    if notification.status is not PaymentStatus.OPEN:
        if notification.status is PaymentStatus.CONFIRMED:
            # Should not be possible, and would be real money: it goes the ordinary road.
            apply_notification(context, bank, notification, Evidence("poll"))
        return notification, f"the bank has it as {notification.bank_status}"
    try:
        bank.cancel_payment(notification.bank_payment_id)
    except BankRefused as error:
        return notification, f"left open at the bank, which did not cancel it: {error}"[:500]
    return notification, "cancelled at the bank: its page was never told to anybody"
