"""Asking the bank about top-ups that are not over, on a schedule with growing intervals.

Notifications get lost, banks stop repeating them, browsers do not come back: a poll brings the money minutes
later. It also ends what nobody pays: after its expiry a top-up is closed, and the bank asked until it has ended it too.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import groupby
from typing import Final
from uuid import UUID

from common.core.errors import ServiceUnavailable
from common.core.logging import get_logger
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

#: A browser's return asks the bank at most once in so long per top-up, whoever calls the address.
RETURN_POLL_SECONDS: Final = 2


def poll_due(context: Context, *, limit: int) -> int:
    """Ask about a batch of top-ups whose turn has come; returns how many it were.

    One thread per bank: a bank that is down delays the polls of its own top-ups alone.
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
            max_late_seconds=settings.topup_poll_late_max_seconds,
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
            log.warning("topup not polled", bank=topup.bank, topup_id=str(topup.topup_id), error=str(error))


def poll(context: Context, topup: TopUp) -> None:
    """Ask about one top-up, take the bank's word, and close the top-up if its time is over.

    Raises BankUnavailable: then it keeps its status, and its next turn is already written.
    """
    bank = context.banks.get(topup.bank)
    with context.db.autocommit() as tx:
        found = topups.find(tx, topup.topup_id)
    if bank is None or found is None:
        log.error("topup of a bank that is switched off", bank=topup.bank, topup_id=str(topup.topup_id))
        return
    now = context.clock.now()
    if found.attempt.payment_url is None and found.topup.expires_at > now:
        return  # nobody can pay it yet; a retry of its request may still open it
    give_up_at = topup.expires_at + timedelta(days=context.settings.topup_give_up_days)
    try:
        over = _end_unopened(context, bank, found) if found.attempt.payment_url is None else _poll(context, bank, found)
    except BankUnavailable as error:
        if now <= give_up_at:
            raise
        over = _expire(context, found, note=f"given up: {error}")
    if over or now > give_up_at:
        with context.db.autocommit() as tx:
            repository.stop_polling(tx, topup.topup_id)


def _poll(context: Context, bank: Bank, found: Located) -> bool:
    """Take the bank's word; returns whether the bank need not be asked again."""
    notification = _ask(context, bank, found)
    if notification is not None and notification.status not in UNDECIDED:
        verdict = apply_notification(context, bank, notification, Evidence("poll"))
        if verdict is Verdict.APPLIED or found.topup.status is not TopUpStatus.PENDING:
            return True
    if found.topup.expires_at <= context.clock.now() and (
        notification is None or notification.status is not PaymentStatus.HELD
    ):
        # The page may work for a moment longer: the bank ends it in its own time, and is asked until it has. To cancel
        # it could mean to give back what is being paid at this moment.
        _expire(context, found, note="the bank has not ended it yet" if notification else "the bank does not know it")
        return notification is None
    return False


def _end_unopened(context: Context, bank: Bank, found: Located) -> bool:
    """The end of a top-up whose page nobody was told."""
    if not _expire(context, found, note="it never had a page"):
        return False
    opening.void_attempt(context, found.topup, found.attempt)
    notification, note = opening.close_at_bank(context, bank, found.topup, found.attempt)
    with context.db.autocommit() as tx:
        payment_id = notification.bank_payment_id if notification else None
        topups.note_on_attempt(tx, bank.name, found.attempt, bank_payment_id=payment_id, note=note)
    return True


def _ask(context: Context, bank: Bank, found: Located) -> Notification | None:
    """What the bank says, None where it knows no such payment."""
    try:
        return bank.fetch_status(order_of(found.topup, found.attempt, context.settings.topup_description))
    except PaymentNotFound as error:
        log.warning(
            "bank does not know the payment", bank=bank.name, topup_id=str(found.topup.topup_id), error=str(error)
        )
        return None


def _expire(context: Context, found: Located, *, note: str) -> bool:
    """Expire a top-up that is pending; returns whether it is expired now. The bank is asked on."""
    topup = found.topup
    if topup.status is not TopUpStatus.PENDING:
        return topup.status is TopUpStatus.EXPIRED
    now = context.clock.now()
    next_poll_at = now + timedelta(seconds=context.settings.topup_poll_max_seconds)
    with context.db.autocommit() as tx:
        expired = topups.save_status(tx, topup, TopUpStatus.EXPIRED, now=now, next_poll_at=next_poll_at)
    log.info("topup expired", bank=topup.bank, topup_id=str(topup.topup_id), expired=expired, note=note)
    return expired


def return_browser(context: Context, topup_id: UUID) -> str:
    """The browser is back from the bank: ask the bank how it went, and say where the browser goes on.

    Changes no money by itself. Raises TopUpNotFound.
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
            ask_bank(context, found, source="return")
        except BankError as error:
            # The browser must not wait for a bank that is away: the schedule asks again.
            log.warning("bank not asked on return", bank=found.topup.bank, error=str(error))
    return found.topup.return_url


def ask_bank(context: Context, found: Located, *, source: str) -> str:
    """Ask the bank about one attempt and take its word; returns the verdict, or what the bank says instead of an end.

    Raises BankUnavailable or PaymentNotFound.
    """
    bank = context.banks.get(found.topup.bank)
    if bank is None:
        raise BankUnavailable(f"{found.topup.bank} is switched off")
    notification = bank.fetch_status(order_of(found.topup, found.attempt, context.settings.topup_description))
    if notification.status in UNDECIDED:
        return f"the bank says {notification.bank_status}"
    return apply_notification(context, bank, notification, Evidence(source)).value


def poll_now(context: Context, topup_id: UUID) -> str:
    """Put the question to the bank that the schedule would put; returns the answer in words.

    Raises TopUpNotFound, ServiceUnavailable.
    """
    with context.db.autocommit() as tx:
        found = topups.find(tx, topup_id)
    if found is None:
        raise TopUpNotFound
    try:
        return ask_bank(context, found, source="operator")
    except PaymentNotFound as error:
        return str(error)
    except BankUnavailable as error:
        raise ServiceUnavailable(f"the bank does not answer: {error}") from error
