"""Asking the bank about top-ups that are not over, on a schedule with growing intervals.

Notifications get lost, banks stop repeating them, browsers do not come back: a poll brings the money minutes
later. It also ends what nobody pays: after its expiry a top-up is cancelled at the bank, then closed.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import groupby

from common.core.logging import get_logger
from services.payments import opening, repository
from services.payments.banks.base import (
    UNDECIDED,
    Bank,
    BankRefused,
    BankUnavailable,
    Notification,
    PaymentNotFound,
    PaymentStatus,
)
from services.payments.context import Context
from services.payments.models import TopUp, TopUpStatus, order_of
from services.payments.notifications.repository import Evidence
from services.payments.notifications.service import apply_notification
from services.payments.repository import Located

log = get_logger(__name__)


def poll_due(context: Context, *, limit: int) -> int:
    """Ask about a batch of top-ups whose turn has come; returns how many it were.

    One thread per bank: a bank that is down delays the polls of its own top-ups alone.
    """
    now = context.clock.now()
    settings = context.settings
    with context.db.autocommit() as tx:
        due = repository.take_due(
            tx,
            now=now,
            limit=limit,
            first_seconds=settings.topup_poll_first_seconds,
            max_seconds=settings.topup_poll_max_seconds,
            max_late_seconds=settings.topup_poll_late_max_seconds,
        )
    by_bank = [list(group) for _, group in groupby(sorted(due, key=_bank), key=_bank)]
    if by_bank:
        with ThreadPoolExecutor(max_workers=len(by_bank), thread_name_prefix="poll") as threads:
            for done in [threads.submit(_poll_all, context, topups) for topups in by_bank]:
                done.result()
    return len(due)


def _bank(topup: TopUp) -> str:
    return topup.bank


def _poll_all(context: Context, topups: Sequence[TopUp]) -> None:
    for topup in topups:
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
        found = repository.find(tx, topup.topup_id)
    if bank is None or found is None:
        log.error("topup of a bank that is switched off", bank=topup.bank, topup_id=str(topup.topup_id))
        return
    now = context.clock.now()
    if found.attempt.payment_url is None and found.topup.expires_at > now:
        return  # nobody can pay it yet; a retry of its request may still open it
    try:
        _poll(context, bank, found, now)
    except BankUnavailable as error:
        if now <= topup.expires_at + timedelta(days=context.settings.topup_give_up_days):
            raise
        _close(context, found, now, still_open_at_bank=False, note=f"given up: {error}")


def _poll(context: Context, bank: Bank, found: Located, now: datetime) -> None:
    if found.attempt.payment_url is None:
        _, note = opening.close_at_bank(context, bank, found.topup, found.attempt)
        _close(context, found, now, still_open_at_bank=False, note=note)
        return
    said = _ask(context, bank, found)
    if said is not None and said.status not in UNDECIDED:
        apply_notification(context, bank, said, Evidence("poll"))
        if found.topup.status is not TopUpStatus.PENDING:
            # It was over for us before, and now it is over for the bank too.
            with context.db.autocommit() as tx:
                repository.stop_polling(tx, found.topup.topup_id)
    elif found.topup.expires_at <= now:
        _expire(context, bank, found, said, now)


def _ask(context: Context, bank: Bank, found: Located) -> Notification | None:
    """What the bank says, None where it knows no such payment."""
    try:
        return bank.fetch_status(order_of(found.topup, found.attempt, context.settings.topup_description))
    except PaymentNotFound as error:
        log.warning(
            "bank does not know the payment", bank=bank.name, topup_id=str(found.topup.topup_id), error=str(error)
        )
        return None


def _expire(context: Context, bank: Bank, found: Located, said: Notification | None, now: datetime) -> None:
    if said is not None and said.status is PaymentStatus.HELD:
        return  # the payer is done and the bank is not: its end comes soon
    still_open, note = False, "the bank does not know it"
    if said is not None:
        try:
            bank.cancel_payment(said.bank_payment_id)
            note = "cancelled at the bank"
        except BankRefused as error:
            still_open, note = True, f"not cancelled by the bank: {error}"
    _close(context, found, now, still_open_at_bank=still_open, note=note)


def _close(context: Context, found: Located, now: datetime, *, still_open_at_bank: bool, note: str) -> None:
    """Expire a pending top-up. While the bank has not ended it too, it is asked on: late money is money."""
    topup = found.topup
    given_up = now > topup.expires_at + timedelta(days=context.settings.topup_give_up_days)
    ask_on = still_open_at_bank and not given_up
    with context.db.autocommit() as tx:
        if topup.status is not TopUpStatus.PENDING:
            if not ask_on:
                repository.stop_polling(tx, topup.topup_id)
            return
        next_poll_at = now + timedelta(seconds=context.settings.topup_poll_max_seconds) if ask_on else None
        expired = repository.save_status(tx, topup, TopUpStatus.EXPIRED, now=now, next_poll_at=next_poll_at)
    log.info("topup expired", bank=topup.bank, topup_id=str(topup.topup_id), expired=expired, note=note)
