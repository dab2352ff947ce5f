"""Reconcile the stored payments with a bank's list, with a statement file, or with the status of each payment.

A reconciliation changes nothing. ``apply`` polls the bank for each difference and processes its status report like a
notification. The content of a statement file is never applied by itself.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from common.bus import operator_actions
from common.core.errors import NotFound, ServiceUnavailable
from common.core.logging import get_logger
from common.core.money import Money
from services.payments.banks.base import (
    Bank,
    BankUnavailable,
    Notification,
    PaymentNotFound,
    PaymentOrder,
    PaymentStatus,
)
from services.payments.context import Context
from services.payments.models import TopUpStatus
from services.payments.polling.service import poll_attempt
from services.payments.reconciliation import repository
from services.payments.reconciliation.models import Difference, Kind, OurPayment, Report
from services.payments.reconciliation.statement import read_statement
from services.payments.topups import repository as topups

log = get_logger(__name__)

#: The payment was made; part or all of it may be refunded.
HAS_MONEY: Final = frozenset({PaymentStatus.CONFIRMED, PaymentStatus.PARTLY_REFUNDED, PaymentStatus.REFUNDED})
LOOKUP_BATCH: Final = 1_000


@dataclass(frozen=True, slots=True)
class ReconciliationQuery:
    """The payments to compare: of one bank, created from ``since`` until before ``until``."""

    bank: str
    since: datetime
    until: datetime
    statement: str | None = None


def reconcile(context: Context, query: ReconciliationQuery) -> Report:
    """Return the differences between the stored payments and the bank's.

    Raises NotFound for a disabled bank, InvalidRequest for an invalid statement, ServiceUnavailable if the bank does
    not respond.
    """
    bank = context.banks.get(query.bank)
    if bank is None:
        raise NotFound
    with context.db.autocommit() as tx:
        ours = repository.payments_between(tx, bank.name, query.since, query.until)
    try:
        if query.statement is not None:
            return _compare(context, bank, ours, read_statement(query.statement, bank), "statement")
        listed = bank.list_payments(query.since, query.until)
        if listed is not None:
            return _compare(context, bank, ours, listed, "the bank's list")
        return _poll_one_by_one(bank, ours)
    except BankUnavailable as error:
        raise ServiceUnavailable(f"the bank does not respond: {error}") from error


def apply(context: Context, report: Report, query: ReconciliationQuery, *, operator: str, reason: str) -> Report:
    """Poll the bank for each difference and apply its report; return the report with the result of each."""
    with context.db.transaction() as tx:
        operator_actions.record(
            tx,
            operator=operator,
            action="reconcile",
            subject=query.bank,
            reason=reason,
            details={"since": query.since, "until": query.until, "differences": len(report.differences)},
        )
    return replace(report, differences=[_apply(context, difference) for difference in report.differences])


def _apply(context: Context, difference: Difference) -> Difference:
    ours = difference.ours
    if ours is None:
        return replace(difference, applied="not applied: no stored top-up")
    with context.db.autocommit() as tx:
        found = topups.find_attempt(tx, ours.topup_id, ours.bank_order_id)
    if found is None:
        return replace(difference, applied="not applied: the attempt is missing")
    try:
        return replace(difference, applied=poll_attempt(context, found, source="operator"))
    except (BankUnavailable, PaymentNotFound) as error:
        return replace(difference, applied=f"not applied: {error}")


def _compare(
    context: Context, bank: Bank, ours: list[OurPayment], theirs: Iterable[Notification], source: str
) -> Report:
    by_payment = {payment.bank_payment_id: payment for payment in ours if payment.bank_payment_id}
    by_order = {payment.bank_order_id: payment for payment in ours}
    seen: set[str] = set()
    differences: list[Difference] = []
    unmatched: list[Notification] = []
    for notification in theirs:
        mine = by_payment.get(notification.bank_payment_id) or by_order.get(notification.order_id or "")
        if mine is None:
            unmatched.extend([notification] if notification.status in HAS_MONEY else [])
            continue
        seen.add(mine.bank_order_id)
        difference = _difference(mine, notification)
        if difference is not None:
            differences.append(difference)
    differences.extend(_outside_period(context, bank, unmatched))
    left = [payment for payment in ours if payment.bank_order_id not in seen]
    # Unpaid payments may be absent from a list. A credited one is looked up at the bank before it counts as missing.
    doubtful = _poll_one_by_one(bank, [payment for payment in left if payment.is_credited])
    return Report(source, len(ours), differences + doubtful.differences)


def _outside_period(context: Context, bank: Bank, unmatched: list[Notification]) -> Iterator[Difference]:
    """Look up payments that are not stored in the period: the bank may date them differently."""
    for start in range(0, len(unmatched), LOOKUP_BATCH):
        batch = unmatched[start : start + LOOKUP_BATCH]
        with context.db.autocommit() as tx:
            found = repository.payments_of_any_time(
                tx,
                bank.name,
                [notification.bank_payment_id for notification in batch if notification.bank_payment_id],
                [notification.order_id for notification in batch if notification.order_id],
            )
        by_payment = {payment.bank_payment_id: payment for payment in found if payment.bank_payment_id}
        by_order = {payment.bank_order_id: payment for payment in found}
        for notification in batch:
            mine = by_payment.get(notification.bank_payment_id) or by_order.get(notification.order_id or "")
            difference = _difference(mine, notification)
            if difference is not None:
                yield difference


def _poll_one_by_one(bank: Bank, ours: list[OurPayment]) -> Report:
    differences: list[Difference] = []
    for payment in ours:
        try:
            notification = bank.fetch_status(_order(payment))
        except PaymentNotFound:
            if payment.is_credited:
                differences.append(Difference(Kind.MISSING_THERE, payment, None))
            continue
        difference = _difference(payment, notification)
        if difference is not None:
            differences.append(difference)
    return Report("the status of each payment", len(ours), differences)


def _order(payment: OurPayment) -> PaymentOrder:
    return PaymentOrder(
        topup_id=payment.topup_id,
        order_id=payment.bank_order_id,
        money=Money(payment.amount_minor, payment.currency),
        description="",
        created_at=payment.created_at,
        expires_at=payment.expires_at,
        bank_payment_id=payment.bank_payment_id,
    )


def _difference(ours: OurPayment | None, theirs: Notification) -> Difference | None:
    """Return the difference between the two sides of a payment, None if they agree."""
    if ours is None:
        return Difference(Kind.MISSING_HERE, None, theirs) if theirs.status in HAS_MONEY else None
    named_wrong = theirs.amount_minor is not None and theirs.amount_minor != ours.amount_minor
    if theirs.status is PaymentStatus.CONFIRMED and named_wrong:
        return Difference(Kind.DIFFERENT_AMOUNT, ours, theirs)
    if _agree(ours, theirs.status):
        return None
    return Difference(Kind.DIFFERENT_STATUS, ours, theirs)


def _agree(ours: OurPayment, theirs: PaymentStatus) -> bool:
    if theirs is PaymentStatus.CONFIRMED:
        # A refund in progress has not reached the bank yet.
        return ours.is_credited and (ours.refunded_minor == 0 or ours.status is TopUpStatus.REFUND_PENDING)
    if theirs is PaymentStatus.PARTLY_REFUNDED:
        return ours.is_credited and (ours.refunded_minor > 0 or ours.status is TopUpStatus.REFUND_PENDING)
    if theirs is PaymentStatus.REFUNDED:
        return not ours.is_credited or ours.status in (TopUpStatus.REFUNDED, TopUpStatus.REFUND_PENDING)
    return not ours.is_credited
