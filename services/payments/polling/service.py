"""Poll banks for the status of unfinished top-ups, with exponential backoff.

This recovers payments whose notification was lost. It also expires unpaid top-ups; such a top-up is polled until the
bank has ended its payment too, because the page may still be payable there.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import groupby
from typing import Final
from uuid import UUID

from common.core.errors import ServiceUnavailable
from common.core.logging import get_logger
from services.payments import log_events
from services.payments.banks.base import (
    UNDECIDED,
    Bank,
    BankError,
    BankUnavailable,
    Notification,
    PaymentNotFound,
    PaymentStatus,
)
from services.payments.context import Context
from services.payments.errors import TopUpNotFound
from services.payments.models import TopUp, TopUpStatus, Verdict, order_of
from services.payments.notifications.repository import Evidence
from services.payments.notifications.service import apply_notification
from services.payments.polling import repository
from services.payments.topups import opening
from services.payments.topups import repository as topups
from services.payments.topups.repository import Located

log = get_logger(__name__)

#: Maximum delay between two polls for an expired top-up.
LATE_POLL_MAX_SECONDS: Final = 21_600.0
#: Minimum interval between polls that a browser's return triggers for one top-up: the address is public.
RETURN_POLL_SECONDS: Final = 2


def poll_due(context: Context, *, limit: int) -> int:
    """Poll a batch of due top-ups; return their number.

    Each bank has its own thread, so that an unavailable bank delays only its own top-ups.
    """
    now = context.clock.now()
    settings = context.settings
    with context.db.autocommit() as tx:
        due = repository.claim_due(
            tx,
            now=now,
            limit=limit,
            first_seconds=settings.topup_poll_first_seconds,
            max_seconds=settings.topup_poll_max_seconds,
            max_late_seconds=LATE_POLL_MAX_SECONDS,
        )
    by_bank = [list(group) for _, group in groupby(sorted(due, key=_bank_of), key=_bank_of)]
    if by_bank:
        with ThreadPoolExecutor(max_workers=len(by_bank), thread_name_prefix="poll") as threads:
            for done in [threads.submit(_poll_all, context, group) for group in by_bank]:
                done.result()
    return len(due)


def _bank_of(topup: TopUp) -> str:
    return topup.bank


def _poll_all(context: Context, due: Sequence[TopUp]) -> None:
    for topup in due:
        try:
            poll(context, topup)
        except BankUnavailable as error:
            log.warning(log_events.TOPUP_POLL_FAILED, bank=topup.bank, topup_id=str(topup.topup_id), error=str(error))


def poll(context: Context, topup: TopUp) -> None:
    """Poll the bank for one top-up, apply its status report, and expire the top-up if its time has passed.

    Raises BankUnavailable; the top-up then keeps its status, and its next poll is already scheduled.
    """
    bank = context.banks.get(topup.bank)
    with context.db.autocommit() as tx:
        found = topups.find(tx, topup.topup_id)
    if bank is None or found is None:
        log.error(log_events.TOPUP_BANK_DISABLED, bank=topup.bank, topup_id=str(topup.topup_id))
        return
    now = context.clock.now()
    if found.attempt.payment_url is None and found.topup.expires_at > now:
        return  # not payable yet; a retry of its request may still open it
    give_up_at = topup.expires_at + timedelta(days=context.settings.topup_give_up_days)
    try:
        ended = (
            _end_unopened(context, bank, found) if found.attempt.payment_url is None else _poll(context, bank, found)
        )
    except BankUnavailable as error:
        if now <= give_up_at:
            raise
        ended = _expire(context, found, note=f"polling ended: {error}")
    if ended or now > give_up_at:
        with context.db.autocommit() as tx:
            repository.stop_polling(tx, topup.topup_id)


def _poll(context: Context, bank: Bank, found: Located) -> bool:
    """Apply the bank's status report; return whether polling ends."""
    notification = _fetch_status(context, bank, found)
    if notification is not None and notification.status not in UNDECIDED:
        verdict = apply_notification(context, bank, notification, Evidence("poll"))
        if verdict is Verdict.APPLIED or found.topup.status is not TopUpStatus.PENDING:
            return True
    if found.topup.expires_at <= context.clock.now() and (
        notification is None or notification.status is not PaymentStatus.HELD
    ):
        # The bank ends the payment a little later and is polled until then. A cancellation here could refund a payment
        # that is in progress.
        _expire(context, found, note="not ended at the bank yet" if notification else "unknown at the bank")
        return notification is None
    return False


def _end_unopened(context: Context, bank: Bank, found: Located) -> bool:
    """Expire a top-up that has no page, and close its attempt at the bank; return whether polling ends."""
    if not _expire(context, found, note="no payment page"):
        return False
    opening.void_attempt(context, found.topup, found.attempt)
    notification, note = opening.close_at_bank(context, bank, found.topup, found.attempt)
    with context.db.autocommit() as tx:
        payment_id = notification.bank_payment_id if notification else None
        topups.note_on_attempt(tx, bank.name, found.attempt, bank_payment_id=payment_id, note=note)
    return True


def _fetch_status(context: Context, bank: Bank, found: Located) -> Notification | None:
    """Return the bank's status report, None if it has no such payment; raise BankUnavailable."""
    try:
        return bank.fetch_status(order_of(found.topup, found.attempt, context.settings.topup_description))
    except PaymentNotFound as error:
        log.warning(
            log_events.BANK_PAYMENT_UNKNOWN, bank=bank.name, topup_id=str(found.topup.topup_id), error=str(error)
        )
        return None


def _expire(context: Context, found: Located, *, note: str) -> bool:
    """Expire a pending top-up; return whether it is expired now. Polling continues."""
    topup = found.topup
    if topup.status is not TopUpStatus.PENDING:
        return topup.status is TopUpStatus.EXPIRED
    now = context.clock.now()
    next_poll_at = now + timedelta(seconds=context.settings.topup_poll_max_seconds)
    with context.db.autocommit() as tx:
        expired = topups.save_status(tx, topup, TopUpStatus.EXPIRED, now=now, next_poll_at=next_poll_at)
    log.info(log_events.TOPUP_EXPIRED, bank=topup.bank, topup_id=str(topup.topup_id), expired=expired, note=note)
    return expired


def return_browser(context: Context, topup_id: UUID) -> str:
    """Poll the bank for a top-up whose browser has returned; return the URL to redirect the browser to.

    The return itself is no proof of a payment. Raises TopUpNotFound.
    """
    now = context.clock.now()
    with context.db.autocommit() as tx:
        found = topups.find(tx, topup_id)
        if found is None:
            raise TopUpNotFound
        may_poll = found.attempt.payment_url is not None and repository.claim_lease(
            tx, topup_id, now=now, busy_until=now + timedelta(seconds=RETURN_POLL_SECONDS)
        )
    if may_poll:
        try:
            poll_attempt(context, found, source="return")
        except BankError as error:
            # The browser does not wait for an unavailable bank: the scheduled task polls again.
            log.warning(log_events.RETURN_POLL_FAILED, bank=found.topup.bank, error=str(error))
    return found.topup.return_url


def poll_attempt(context: Context, found: Located, *, source: str) -> str:
    """Poll the bank for one attempt and apply its report; return the verdict, or the status of an unfinished payment.

    Raises BankUnavailable, PaymentNotFound.
    """
    bank = context.banks.get(found.topup.bank)
    if bank is None:
        raise BankUnavailable(f"{found.topup.bank} is disabled")
    notification = bank.fetch_status(order_of(found.topup, found.attempt, context.settings.topup_description))
    if notification.status in UNDECIDED:
        return f"status at the bank: {notification.bank_status}"
    return apply_notification(context, bank, notification, Evidence(source)).value


def poll_now(context: Context, topup_id: UUID) -> str:
    """Poll the bank for one top-up at once; return the result as text for an operator.

    Raises TopUpNotFound, ServiceUnavailable.
    """
    with context.db.autocommit() as tx:
        found = topups.find(tx, topup_id)
    if found is None:
        raise TopUpNotFound
    try:
        return poll_attempt(context, found, source="operator")
    except PaymentNotFound as error:
        return str(error)
    except BankUnavailable as error:
        raise ServiceUnavailable(f"the bank does not respond: {error}") from error
