"""Refunds, step by step. Each step is written down before the next is taken, and each may be taken again.

The order protects us: the money leaves the user's balance first, so that he cannot spend what goes to his card.
If the bank then refuses, it goes back to the balance. A crash, a lost answer, a second operator: the refund is
taken up where its row says it stands.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from common.bus import operator_actions
from common.core.errors import ServiceUnavailable
from common.core.logging import get_logger
from common.db.connection import Connection
from common.db.errors import retry_on_conflict
from services.payments.banks.base import (
    Bank,
    BankRefused,
    BankUnavailable,
    PaymentNotFound,
    PaymentStatus,
    RefundOutcome,
)
from services.payments.clients import UnexpectedAnswer
from services.payments.context import Context
from services.payments.errors import RefundNotPossible, TopUpNotFound
from services.payments.models import TopUp, TopUpStatus, order_of
from services.payments.refunds import repository
from services.payments.refunds.models import FINISHED, LEASE_SECONDS, NewRefund, Refund, RefundStatus
from services.payments.topups import repository as topups
from services.payments.topups.repository import Located

log = get_logger(__name__)

REFUNDABLE = frozenset({TopUpStatus.CONFIRMED, TopUpStatus.PARTLY_REFUNDED})


def request_refund(context: Context, wanted: NewRefund) -> Refund:
    """Refund a top-up as far as it can be done now; the schedule does the rest.

    The same ``refund_id`` is the same refund. Raises TopUpNotFound, RefundNotPossible.
    """
    _record_request(context, wanted)
    pursue(context, wanted.refund_id)
    with context.db.autocommit() as tx:
        refund = repository.find(tx, wanted.refund_id)
    if refund is None:
        raise RuntimeError("a refund that was written down is gone")
    return refund


@retry_on_conflict
def _record_request(context: Context, wanted: NewRefund) -> None:
    now = context.clock.now()
    with context.db.transaction() as tx:
        topup = topups.lock(tx, wanted.topup_id)
        if topup is None:
            raise TopUpNotFound
        known = repository.find(tx, wanted.refund_id)
        if known is not None:
            if (known.topup_id, wanted.amount_minor or known.amount_minor) != (wanted.topup_id, known.amount_minor):
                raise RefundNotPossible("this refundID belongs to another refund")
            return
        amount_minor = _amount(topup, wanted)
        repository.insert(tx, wanted, amount_minor, topups.paid_order(tx, topup.topup_id), now=now)
        topups.save_status(tx, topup, TopUpStatus.REFUND_PENDING, now=now)
        operator_actions.record(
            tx,
            operator=wanted.operator,
            action="refund_topup",
            subject=str(wanted.topup_id),
            reason=wanted.reason,
            details={"refund_id": wanted.refund_id, "amount_minor": amount_minor, "currency": topup.currency},
        )


def _amount(topup: TopUp, wanted: NewRefund) -> int:
    if topup.status not in REFUNDABLE:
        raise RefundNotPossible(f"a top-up that is {topup.status} cannot be refunded")
    left = topup.amount_minor - topup.refunded_minor
    amount_minor = left if wanted.amount_minor is None else wanted.amount_minor
    if amount_minor > left:
        raise RefundNotPossible(f"of this top-up {left} are left to be refunded, not {amount_minor}")
    return amount_minor


def pursue_due(context: Context, *, limit: int) -> int:
    """Move on a batch of refunds whose turn has come; returns how many it were."""
    with context.db.autocommit() as tx:
        due = repository.due(tx, now=context.clock.now(), limit=limit)
    for refund_id in due:
        try:
            pursue(context, refund_id)
        except UnexpectedAnswer:
            # Its row says where it stands, and its turn comes again; the others must not wait for a person.
            log.error("refund contradicts the balance", refund_id=str(refund_id), exc_info=True)
    return len(due)


def pursue(context: Context, refund_id: UUID) -> None:
    """Move one refund on, step by step, until it is over or somebody does not answer."""
    while True:
        now = context.clock.now()
        with context.db.autocommit() as tx:
            refund = repository.claim_lease(tx, refund_id, now=now, until=now + timedelta(seconds=LEASE_SECONDS))
            found = topups.find_attempt(tx, refund.topup_id, refund.bank_order_id) if refund else None
        if refund is None or found is None:
            return
        if not _advance(context, refund, found):
            return


def _advance(context: Context, refund: Refund, found: Located) -> bool:
    """One step; returns whether there is another one to take now."""
    try:
        if refund.status is RefundStatus.REQUESTED:
            taken = context.balance.take_refund(refund, found.topup)
            return _save(context, refund, RefundStatus.DEBITED if taken else RefundStatus.REFUSED)
        if refund.status is RefundStatus.RETURNING:
            context.balance.return_refund(refund, found.topup)
            return _save(context, refund, RefundStatus.RETURNED)
        return _ask_bank(context, refund, found)
    except ServiceUnavailable as error:
        _postpone(context, refund, f"balance did not answer: {error.text}")
        return False


def _ask_bank(context: Context, refund: Refund, found: Located) -> bool:
    bank = context.banks.get(found.topup.bank)
    if bank is None:
        _postpone(context, refund, f"{found.topup.bank} is switched off")
        return False
    order = order_of(found.topup, found.attempt, context.settings.topup_description)
    if not refund.was_credited:
        order = replace(order, refunded_minor=0)
    try:
        outcome = bank.refund(order, refund.amount_minor, refund.refund_id.hex)
    except BankUnavailable as error:
        _postpone(context, refund, f"the bank did not answer: {error}", outcome_is_unknown=True)
        return False
    except BankRefused as error:
        return _evaluate_refusal(context, bank, refund, found, error)
    if outcome is RefundOutcome.ACCEPTED:
        _postpone(context, refund, "under way at the bank")
        return False
    return _save(context, refund, RefundStatus.DONE)


def _evaluate_refusal(context: Context, bank: Bank, refund: Refund, found: Located, error: BankRefused) -> bool:
    """A refusal after an answer that we never got may mean that the first request was done: look before returning."""
    topup = found.topup
    try:
        notification = bank.fetch_status(order_of(topup, found.attempt, context.settings.topup_description))
    except (BankUnavailable, PaymentNotFound) as failure:
        _postpone(context, refund, f"the bank refused ({error}) and did not say how the payment stands: {failure}")
        return False
    completes = not refund.was_credited or topup.refunded_minor + refund.amount_minor == topup.amount_minor
    if notification.status is PaymentStatus.REFUNDED and completes:
        return _save(context, refund, RefundStatus.DONE, note=f"the bank has it as refunded: {error}")
    if notification.status is PaymentStatus.PARTLY_REFUNDED and refund.unknown:
        if topup.refunded_minor == 0 and not completes:
            return _save(context, refund, RefundStatus.DONE, note=f"the bank has it as partly refunded: {error}")
        # Nothing that the protocol says tells this refund from one before it.
        log.error("refund needs a person", refund_id=str(refund.refund_id), bank=bank.name, error=str(error))
        _postpone(context, refund, f"needs a person: partly refunded at the bank, and it refuses: {error}")
        return False
    return _save(context, refund, RefundStatus.RETURNING, note=f"the bank refused: {error}")


@retry_on_conflict
def _save(context: Context, refund: Refund, status: RefundStatus, *, note: str | None = None) -> bool:
    """Write a step, and with the last one what becomes of the top-up; returns whether there is more to do."""
    now = context.clock.now()
    with context.db.transaction() as tx:
        topup = topups.lock(tx, refund.topup_id)
        current = repository.lock(tx, refund.refund_id)
        if topup is None or current is None or current.status is not refund.status:
            return False
        repository.save(tx, current, status, now=now, note=note)
        if status in FINISHED and refund.was_credited:
            given_back = refund.amount_minor if status is RefundStatus.DONE else 0
            topups.add_refunded(tx, topup, given_back)
            _end(tx, topup, topup.refunded_minor + given_back, now)
    log.info("refund moved on", refund_id=str(refund.refund_id), status=status.value, note=note)
    return status in (RefundStatus.DEBITED, RefundStatus.RETURNING)


def _end(tx: Connection, topup: TopUp, refunded_minor: int, now: datetime) -> None:
    if refunded_minor == topup.amount_minor:
        status = TopUpStatus.REFUNDED
    else:
        status = TopUpStatus.PARTLY_REFUNDED if refunded_minor else TopUpStatus.CONFIRMED
    topups.save_status(tx, topup, status, now=now)


def _postpone(context: Context, refund: Refund, note: str, *, outcome_is_unknown: bool = False) -> None:
    log.warning("refund waits", refund_id=str(refund.refund_id), status=refund.status.value, note=note)
    with context.db.autocommit() as tx:
        repository.postpone(
            tx,
            refund,
            next_try_at=context.clock.now() + refund.retry_delay(),
            note=note,
            outcome_is_unknown=outcome_is_unknown,
        )
