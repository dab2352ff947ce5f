"""Refunds, in steps. The result of each step is committed before the next one, and each step can be repeated.

The balance is debited first, so that the user cannot spend money that goes to the card. If the bank then rejects the
refund, the balance is credited again. After a crash or a lost response, the refund resumes at its stored status.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from common.bus import operator_actions
from common.core.errors import ServiceUnavailable
from common.core.logging import get_logger
from common.db.errors import retry_on_conflict
from services.payments import log_events
from services.payments.banks.base import (
    Bank,
    BankRefused,
    BankUnavailable,
    PaymentNotFound,
    PaymentStatus,
    RefundOutcome,
)
from services.payments.clients import UnexpectedResponse
from services.payments.context import Context
from services.payments.errors import RefundNotPossible, TopUpNotFound
from services.payments.models import TopUp, TopUpStatus, order_of
from services.payments.refunds import repository
from services.payments.refunds.models import FINISHED, LEASE_SECONDS, NewRefund, Refund, RefundStatus
from services.payments.topups import repository as topups
from services.payments.topups.repository import Located

log = get_logger(__name__)

REFUNDABLE = frozenset({TopUpStatus.CONFIRMED, TopUpStatus.PARTLY_REFUNDED})


def request_refund(context: Context, new_refund: NewRefund) -> Refund:
    """Request a refund and advance it as far as possible; the scheduled task does the rest.

    A repeat with the same ``refund_id`` returns the same refund. Raises TopUpNotFound, RefundNotPossible.
    """
    _record_request(context, new_refund)
    pursue(context, new_refund.refund_id)
    with context.db.autocommit() as tx:
        refund = repository.find(tx, new_refund.refund_id)
    if refund is None:
        raise RuntimeError("a recorded refund is missing")
    return refund


@retry_on_conflict
def _record_request(context: Context, new_refund: NewRefund) -> None:
    now = context.clock.now()
    with context.db.transaction() as tx:
        topup = topups.lock(tx, new_refund.topup_id)
        if topup is None:
            raise TopUpNotFound
        known = repository.find(tx, new_refund.refund_id)
        if known is not None:
            requested_minor = new_refund.amount_minor or known.amount_minor
            if (known.topup_id, known.amount_minor) != (new_refund.topup_id, requested_minor):
                raise RefundNotPossible("this refundID belongs to another refund")
            return
        amount_minor = _amount(topup, new_refund)
        repository.insert(tx, new_refund, amount_minor, topups.paid_order(tx, topup.topup_id), now=now)
        topups.save_status(tx, topup, TopUpStatus.REFUND_PENDING, now=now)
        operator_actions.record(
            tx,
            operator=new_refund.operator,
            action="refund_topup",
            subject=str(new_refund.topup_id),
            reason=new_refund.reason,
            details={"refund_id": new_refund.refund_id, "amount_minor": amount_minor, "currency": topup.currency},
        )


def _amount(topup: TopUp, new_refund: NewRefund) -> int:
    if topup.status not in REFUNDABLE:
        raise RefundNotPossible(f"a top-up with status {topup.status} cannot be refunded")
    left = topup.amount_minor - topup.refunded_minor
    amount_minor = left if new_refund.amount_minor is None else new_refund.amount_minor
    if amount_minor > left:
        raise RefundNotPossible(f"at most {left} of this top-up can be refunded, not {amount_minor}")
    return amount_minor


def pursue_due(context: Context, *, limit: int) -> int:
    """Advance a batch of due refunds; return their number."""
    with context.db.autocommit() as tx:
        due = repository.due(tx, now=context.clock.now(), limit=limit)
    for refund_id in due:
        try:
            pursue(context, refund_id)
        except UnexpectedResponse:
            # The refund keeps its status and is retried later. The rest of the batch does not wait for an operator.
            log.error(log_events.REFUND_CONTRADICTS_BALANCE, refund_id=str(refund_id), exc_info=True)
    return len(due)


def pursue(context: Context, refund_id: UUID) -> None:
    """Advance one refund until it is finished or a step has to be retried later."""
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
    """Execute the next step of a refund; return whether another one follows at once."""
    try:
        if refund.status is RefundStatus.REQUESTED:
            taken = context.balance.take_refund(refund, found.topup)
            return _save(context, refund, RefundStatus.DEBITED if taken else RefundStatus.REFUSED)
        if refund.status is RefundStatus.RETURNING:
            context.balance.return_refund(refund, found.topup)
            return _save(context, refund, RefundStatus.RETURNED)
        return _refund_at_bank(context, refund, found)
    except ServiceUnavailable as error:
        _defer(context, refund, f"balance did not respond: {error.text}")
        return False


def _refund_at_bank(context: Context, refund: Refund, found: Located) -> bool:
    bank = context.banks.get(found.topup.bank)
    if bank is None:
        _defer(context, refund, f"{found.topup.bank} is disabled")
        return False
    order = order_of(found.topup, found.attempt, context.settings.topup_description)
    if not refund.was_credited:
        order = replace(order, refunded_minor=0)
    try:
        outcome = bank.refund(order, refund.amount_minor, refund.refund_id.hex)
    except BankUnavailable as error:
        _defer(context, refund, f"the bank did not respond: {error}", outcome_is_unknown=True)
        return False
    except BankRefused as error:
        return _evaluate_refusal(context, bank, refund, found, error)
    if outcome is RefundOutcome.ACCEPTED:
        _defer(context, refund, "in progress at the bank")
        return False
    return _save(context, refund, RefundStatus.DONE)


def _evaluate_refusal(context: Context, bank: Bank, refund: Refund, found: Located, error: BankRefused) -> bool:
    """Decide what a rejection means; return whether another step follows.

    If the response to an earlier request was lost, the bank may reject a refund because it has already made it. The
    balance is credited again only if the payment's status at the bank rules this out.
    """
    topup = found.topup
    try:
        notification = bank.fetch_status(order_of(topup, found.attempt, context.settings.topup_description))
    except (BankUnavailable, PaymentNotFound) as failure:
        _defer(context, refund, f"rejected by the bank ({error}), status of the payment unknown: {failure}")
        return False
    completes = not refund.was_credited or topup.refunded_minor + refund.amount_minor == topup.amount_minor
    if notification.status is PaymentStatus.REFUNDED and completes:
        return _save(context, refund, RefundStatus.DONE, note=f"already refunded at the bank: {error}")
    if notification.status is PaymentStatus.PARTLY_REFUNDED and refund.unknown_outcomes:
        if topup.refunded_minor == 0 and not completes:
            return _save(context, refund, RefundStatus.DONE, note=f"already partly refunded at the bank: {error}")
        # The protocol does not tell this refund from an earlier partial one.
        log.error(log_events.REFUND_NEEDS_OPERATOR, refund_id=str(refund.refund_id), bank=bank.name, error=str(error))
        _defer(context, refund, f"needs an operator: partly refunded at the bank, which rejects this refund: {error}")
        return False
    return _save(context, refund, RefundStatus.RETURNING, note=f"rejected by the bank: {error}")


@retry_on_conflict
def _save(context: Context, refund: Refund, status: RefundStatus, *, note: str | None = None) -> bool:
    """Store a step, and with the last one the new status of the top-up; return whether another step follows."""
    now = context.clock.now()
    with context.db.transaction() as tx:
        topup = topups.lock(tx, refund.topup_id)
        current = repository.lock(tx, refund.refund_id)
        if topup is None or current is None or current.status is not refund.status:
            return False
        repository.save(tx, current, status, now=now, note=note)
        if status in FINISHED and refund.was_credited:
            refunded_now = refund.amount_minor if status is RefundStatus.DONE else 0
            topups.add_refunded(tx, topup, refunded_now)
            _finish_topup(tx, topup, topup.refunded_minor + refunded_now, now)
    log.info(log_events.REFUND_ADVANCED, refund_id=str(refund.refund_id), status=status.value, note=note)
    return status in (RefundStatus.DEBITED, RefundStatus.RETURNING)


def _finish_topup(tx: Connection, topup: TopUp, refunded_minor: int, now: datetime) -> None:
    if refunded_minor == topup.amount_minor:
        status = TopUpStatus.REFUNDED
    else:
        status = TopUpStatus.PARTLY_REFUNDED if refunded_minor else TopUpStatus.CONFIRMED
    topups.save_status(tx, topup, status, now=now)


def _defer(context: Context, refund: Refund, note: str, *, outcome_is_unknown: bool = False) -> None:
    log.warning(log_events.REFUND_DEFERRED, refund_id=str(refund.refund_id), status=refund.status.value, note=note)
    with context.db.autocommit() as tx:
        repository.postpone(
            tx,
            refund,
            next_try_at=context.clock.now() + refund.retry_delay(),
            note=note,
            outcome_is_unknown=outcome_is_unknown,
        )
