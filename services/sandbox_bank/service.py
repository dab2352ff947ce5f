"""Use cases of the sandbox bank. A change of state and its notifications are one transaction."""

import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeVar

from sqlalchemy import Connection

from services.sandbox_bank import repository
from services.sandbox_bank.context import Context
from services.sandbox_bank.errors import (
    AmountTooLarge,
    KeyReused,
    OrderTaken,
    PaymentUnknown,
    RequestedFailure,
    WrongState,
)
from services.sandbox_bank.faults import OF_THE_API, SPOILING, Fault, parse_faults
from services.sandbox_bank.models import DECLINED_CARD, PAYING_CARD, Payment, Refund, State
from services.sandbox_bank.repository import NewPayment

T = TypeVar("T")

OUT_OF_ORDER_SECONDS: Final = 0.5
LISTED: Final = 1_000


class PageOutcome(StrEnum):
    """Result of submitting the form of the payment page."""

    PAID = "paid"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    ENDED = "ended"  # the payment had ended before
    WRONG_CARD = "wrong_card"


@dataclass(frozen=True, slots=True)
class PageResult:
    """The outcome and the current payment."""

    outcome: PageOutcome
    payment: Payment


def create_payment(context: Context, new: NewPayment) -> Payment:
    """Create a payment with a payment page. A repeat with the same idempotence key returns the same payment.

    Raises OrderTaken, KeyReused.
    """
    with context.db.transaction() as tx:
        faults = parse_faults(context.settings.sandbox_bank_faults)
        if new.order_id is not None:
            faults = repository.faults_of_order(tx, new.protocol, new.order_id, faults)
        payment = repository.insert(tx, new, page_key=secrets.token_urlsafe(24), now=context.clock.now(), faults=faults)
        if payment is None and new.idempotence_key is not None:
            known = repository.lock_by_key(tx, new.protocol, new.idempotence_key)
            if known is not None and known[1] != new.request_hash:
                raise KeyReused
            payment = known[0] if known else None
    if payment is None:
        raise OrderTaken
    return payment


def find_payment(context: Context, protocol: str, public_id: str) -> Payment:
    """Return a payment by the bank's id; raise PaymentUnknown."""
    with context.db.transaction() as tx:
        return _known(repository.lock_by_public_id(tx, protocol, public_id))


def find_order(context: Context, protocol: str, order_id: str) -> Payment:
    """Return a payment by the merchant's order number; raise PaymentUnknown."""
    with context.db.transaction() as tx:
        return _known(repository.lock_by_order(tx, protocol, order_id))


def open_page(context: Context, page_key: str) -> Payment:
    """Return the payment of a page, and expire it if its time has passed; raise PaymentUnknown."""
    with context.db.transaction() as tx:
        payment = _known(repository.lock_by_page(tx, page_key))
        if payment.state is State.NEW and payment.expires_at <= context.clock.now():
            return _step(context, tx, payment, State.DEADLINE_EXPIRED)
    return payment


def submit_card(context: Context, page_key: str, card_number: str) -> PageResult:
    """Pay or decline. The card number is compared and not stored. Raises PaymentUnknown."""
    digits = "".join(character for character in card_number if character.isdigit())
    with context.db.transaction() as tx:
        payment = _known(repository.lock_by_page(tx, page_key))
        if payment.state is not State.NEW:
            return PageResult(PageOutcome.ENDED, payment)
        if payment.expires_at <= context.clock.now():
            return PageResult(PageOutcome.ENDED, _step(context, tx, payment, State.DEADLINE_EXPIRED))
        if digits == PAYING_CARD:
            result = PageResult(PageOutcome.PAID, _step(context, tx, payment, State.CONFIRMED))
        elif digits == DECLINED_CARD:
            result = PageResult(PageOutcome.DECLINED, _step(context, tx, payment, State.REJECTED))
        else:
            return PageResult(PageOutcome.WRONG_CARD, payment)
    context.wake.set()
    return result


def cancel_at_page(context: Context, page_key: str) -> PageResult:
    """Cancel a payment at the payer's request; raise PaymentUnknown."""
    with context.db.transaction() as tx:
        payment = _known(repository.lock_by_page(tx, page_key))
        if payment.state is not State.NEW:
            return PageResult(PageOutcome.ENDED, payment)
        payment = _step(context, tx, payment, State.CANCELED)
    context.wake.set()
    return PageResult(PageOutcome.CANCELLED, payment)


def cancel_or_refund(
    context: Context, protocol: str, public_id: str, *, amount_minor: int | None, request_key: str | None
) -> tuple[Payment, Payment]:
    """Cancel an unpaid payment, reverse a held one, or refund a paid one; None refunds the remainder.

    A repeat with the same ``request_key`` has no effect. Returns the payment before and after. Raises PaymentUnknown,
    WrongState, AmountTooLarge.
    """
    with context.db.transaction() as tx:
        before = _known(repository.lock_by_public_id(tx, protocol, public_id))
        if before.state is State.NEW:
            after = _step(context, tx, before, State.CANCELED)
        elif before.state is State.AUTHORIZED:
            after = _step(context, tx, before, State.REVERSED)
        else:
            _refund_payment(context, tx, before, amount_minor, request_key)
            after = _known(repository.lock_by_public_id(tx, protocol, public_id))
    context.wake.set()
    return before, after


def refund(
    context: Context, protocol: str, public_id: str, *, amount_minor: int | None, request_key: str | None
) -> Refund:
    """Refund a paid payment in full or in part; raise PaymentUnknown, WrongState, AmountTooLarge."""
    with context.db.transaction() as tx:
        payment = _known(repository.lock_by_public_id(tx, protocol, public_id))
        given = _refund_payment(context, tx, payment, amount_minor, request_key)
    context.wake.set()
    return given


def find_refund(context: Context, protocol: str, public_id: str) -> Refund:
    """Return a refund by the bank's id; raise PaymentUnknown."""
    with context.db.autocommit() as tx:
        found = repository.refund_by_id(tx, protocol, public_id)
    if found is None:
        raise PaymentUnknown
    return found


def payments_between(
    context: Context, protocol: str, since: datetime, until: datetime, *, after_no: int, limit: int
) -> list[Payment]:
    """Return payments of a period after a payment number, oldest first."""
    with context.db.autocommit() as tx:
        return repository.list_between(tx, protocol, since=since, until=until, after_no=after_no, limit=limit)


def _refund_payment(
    context: Context, tx: Connection, payment: Payment, amount_minor: int | None, request_key: str | None
) -> Refund:
    if request_key is not None and (known := repository.refund_of_key(tx, payment, request_key)) is not None:
        return known
    if payment.state not in (State.CONFIRMED, State.PARTIAL_REFUNDED):
        raise WrongState
    left = payment.amount_minor - payment.refunded_minor
    amount = left if amount_minor is None else amount_minor
    if amount > left:
        raise AmountTooLarge
    key = request_key or secrets.token_hex(16)
    given = repository.add_refund(tx, payment, key, amount, now=context.clock.now())
    _step(context, tx, payment, State.REFUNDED if amount == left else State.PARTIAL_REFUNDED, given)
    return given


def expire_overdue(context: Context, *, limit: int) -> int:
    """Expire unpaid payments past their time; return their number."""
    with context.db.transaction() as tx:
        overdue = repository.lock_overdue(tx, now=context.clock.now(), limit=limit)
        for payment in overdue:
            _step(context, tx, payment, State.DEADLINE_EXPIRED)
    return len(overdue)


def with_faults(context: Context, protocol: str, order_id: str | None, act: Callable[[], T]) -> T:
    """Run an API call with the faults of its order; raise RequestedFailure if one of them requests an error."""
    if order_id is None:
        return act()
    faults = _faults_due(context, protocol, order_id)
    if Fault.API_SLOW in faults:
        # The delay is the requested fault.
        time.sleep(context.settings.sandbox_bank_slow_seconds)
    if Fault.API_500 in faults:
        raise RequestedFailure
    result = act()
    if Fault.API_DEAD in faults:
        raise RequestedFailure
    return result


def _faults_due(context: Context, protocol: str, order_id: str) -> frozenset[Fault]:
    default = parse_faults(context.settings.sandbox_bank_faults)
    with context.db.transaction() as tx:
        assigned = repository.faults_of_order(tx, protocol, order_id, default)
        return frozenset(
            fault for fault in sorted(assigned & OF_THE_API) if repository.trigger_once(tx, protocol, order_id, fault)
        )


def set_plan(context: Context, plan: Sequence[Sequence[Fault]]) -> None:
    """Set the plan: each new order takes its next list of faults, cyclically. An empty plan removes it."""
    with context.db.autocommit() as tx:
        repository.set_plan(tx, plan)


def set_faults(context: Context, protocol: str, order_id: str, faults: Iterable[Fault]) -> None:
    """Set the faults of one payment; raise PaymentUnknown."""
    with context.db.autocommit() as tx:
        if not repository.set_faults(tx, protocol, order_id, faults):
            raise PaymentUnknown


def list_payments(context: Context, protocol: str) -> list[Payment]:
    """Return the newest payments of one protocol."""
    with context.db.autocommit() as tx:
        return repository.list_newest(tx, protocol, limit=LISTED)


def _known(payment: Payment | None) -> Payment:
    if payment is None:
        raise PaymentUnknown
    return payment


def _step(context: Context, tx: Connection, payment: Payment, state: State, refund: Refund | None = None) -> Payment:
    """Change the state of a locked payment and insert its notifications; raise WrongState."""
    if not payment.may_become(state):
        raise WrongState
    given = refund.amount_minor if refund else 0
    repository.save(tx, payment, state, payment.refunded_minor + given)
    after = _known(repository.lock_by_public_id(tx, payment.protocol, payment.public_id))
    _notify(context, tx, payment.state, after, refund)
    return after


def _notify(context: Context, tx: Connection, before: State, payment: Payment, refund: Refund | None) -> None:
    wire = context.wires[payment.protocol]
    # A partial refund reports the amount of this refund, every other notification the full amount.
    partly = refund is not None and payment.state is State.PARTIAL_REFUNDED
    amount_minor = refund.amount_minor if refund is not None and partly else payment.amount_minor
    labels = list(wire.labels(before, payment.state))
    for label, due_at in zip(labels, _due_times(context, payment.faults, len(labels)), strict=True):
        message = wire.message(
            payment,
            label,
            amount_minor=amount_minor + (1 if Fault.WRONG_AMOUNT in payment.faults else 0),
            refund=refund,
            spoilt=payment.faults & SPOILING,
        )
        if message is None:
            continue
        for _ in range(2 if Fault.NOTIFY_TWICE in payment.faults else 1):
            repository.add_delivery(tx, payment, message, due_at=due_at, max_attempts=wire.max_attempts)


def _due_times(context: Context, faults: Iterable[Fault], count: int) -> list[datetime] | list[None]:
    """Return when each of ``count`` notifications of one change is due: at once, unless a fault delays it."""
    if Fault.NOTIFY_LOST in faults:
        return [None] * count
    now = context.clock.now()
    late = context.settings.sandbox_bank_late_seconds if Fault.NOTIFY_LATE in faults else 0.0
    step = OUT_OF_ORDER_SECONDS if Fault.NOTIFY_OUT_OF_ORDER in faults else 0.0
    return [now + timedelta(seconds=late + step * (count - 1 - place)) for place in range(count)]
