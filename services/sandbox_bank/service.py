"""Use cases of the sandbox bank. A payment's step and the notifications that it brings about are one transaction."""

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
from services.sandbox_bank.errors import AmountTooLarge, OrderTaken, OutOfOrder, PaymentUnknown, WrongState
from services.sandbox_bank.faults import OF_THE_API, Fault, parse_faults
from services.sandbox_bank.models import DECLINED_CARD, PAYING_CARD, Payment, State
from services.sandbox_bank.repository import NewPayment

T = TypeVar("T")

#: How often a notification is tried: for about a month where the protocol says so.
MAX_ATTEMPTS: Final = 60
OUT_OF_ORDER_SECONDS: Final = 0.5
LISTED: Final = 1_000


class PageOutcome(StrEnum):
    """What came of a form that was sent from the payment page."""

    PAID = "paid"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    OVER = "over"  # it had ended before
    WRONG_CARD = "wrong_card"


@dataclass(frozen=True, slots=True)
class PageResult:
    """The outcome, and the payment as it is now."""

    outcome: PageOutcome
    payment: Payment


def create_payment(context: Context, new: NewPayment) -> Payment:
    """Make a payment that can be paid at its page; raises OrderTaken."""
    with context.db.transaction() as tx:
        faults = frozenset(parse_faults(context.settings.sandbox_bank_faults))
        if new.order_id is not None:
            faults = repository.faults_of_order(tx, new.protocol, new.order_id, faults)
        payment = repository.insert(tx, new, page_key=secrets.token_urlsafe(24), now=context.clock.now(), faults=faults)
    if payment is None:
        raise OrderTaken
    return payment


def find_payment(context: Context, protocol: str, public_id: str) -> Payment:
    """By the bank's id; raises PaymentUnknown."""
    with context.db.transaction() as tx:
        return _known(repository.lock_by_public_id(tx, protocol, public_id))


def find_order(context: Context, protocol: str, order_id: str) -> Payment:
    """By the merchant's number; raises PaymentUnknown."""
    with context.db.transaction() as tx:
        return _known(repository.lock_by_order(tx, protocol, order_id))


def open_page(context: Context, page_key: str) -> Payment:
    """The payment of a page; one whose time is over ends here. Raises PaymentUnknown."""
    with context.db.transaction() as tx:
        payment = _known(repository.lock_by_page(tx, page_key))
        if payment.state is State.NEW and payment.expires_at <= context.clock.now():
            return _step(context, tx, payment, State.DEADLINE_EXPIRED)
    return payment


def submit_card(context: Context, page_key: str, card_number: str) -> PageResult:
    """Pay, or be declined. The number is compared and forgotten. Raises PaymentUnknown."""
    digits = "".join(character for character in card_number if character.isdigit())
    with context.db.transaction() as tx:
        payment = _known(repository.lock_by_page(tx, page_key))
        if payment.state is not State.NEW:
            return PageResult(PageOutcome.OVER, payment)
        if payment.expires_at <= context.clock.now():
            return PageResult(PageOutcome.OVER, _step(context, tx, payment, State.DEADLINE_EXPIRED))
        if digits == PAYING_CARD:
            result = PageResult(PageOutcome.PAID, _step(context, tx, payment, State.CONFIRMED))
        elif digits == DECLINED_CARD:
            result = PageResult(PageOutcome.DECLINED, _step(context, tx, payment, State.REJECTED))
        else:
            return PageResult(PageOutcome.WRONG_CARD, payment)
    context.wake.set()
    return result


def cancel_at_page(context: Context, page_key: str) -> PageResult:
    """The payer does not want to; raises PaymentUnknown."""
    with context.db.transaction() as tx:
        payment = _known(repository.lock_by_page(tx, page_key))
        if payment.state is not State.NEW:
            return PageResult(PageOutcome.OVER, payment)
        payment = _step(context, tx, payment, State.CANCELED)
    context.wake.set()
    return PageResult(PageOutcome.CANCELLED, payment)


def cancel_or_refund(
    context: Context, protocol: str, public_id: str, *, amount_minor: int | None, request_key: str | None
) -> tuple[Payment, Payment]:
    """The merchant takes a payment back: an unpaid one is cancelled, a paid one given back, wholly or partly.

    The same ``request_key`` again changes nothing. Returns the payment before and after. Raises PaymentUnknown,
    WrongState, AmountTooLarge.
    """
    with context.db.transaction() as tx:
        before = _known(repository.lock_by_public_id(tx, protocol, public_id))
        after = _take_back(context, tx, before, amount_minor, request_key)
    context.wake.set()
    return before, after


def _take_back(
    context: Context, tx: Connection, payment: Payment, amount_minor: int | None, request_key: str | None
) -> Payment:
    if payment.state is State.NEW:
        return _step(context, tx, payment, State.CANCELED)
    if payment.state is State.AUTHORIZED:
        return _step(context, tx, payment, State.REVERSED)
    left = payment.amount_minor - payment.refunded_minor
    if request_key is not None and repository.refund_exists(tx, payment, request_key):
        return payment
    if payment.state not in (State.CONFIRMED, State.PARTIAL_REFUNDED):
        raise WrongState
    amount = left if amount_minor is None else amount_minor
    if amount > left:
        raise AmountTooLarge
    repository.add_refund(tx, payment, request_key or secrets.token_hex(16), amount)
    after = State.REFUNDED if amount == left else State.PARTIAL_REFUNDED
    return _step(context, tx, payment, after, refunded_minor=payment.refunded_minor + amount)


def expire_overdue(context: Context, *, limit: int) -> int:
    """End payments that nobody has paid in time; returns how many."""
    with context.db.transaction() as tx:
        overdue = repository.lock_overdue(tx, now=context.clock.now(), limit=limit)
        for payment in overdue:
            _step(context, tx, payment, State.DEADLINE_EXPIRED)
    return len(overdue)


def with_faults(context: Context, protocol: str, order_id: str | None, act: Callable[[], T]) -> T:
    """Run a call of the interface, misbehaving where this order is to see it; raises OutOfOrder."""
    if order_id is None:
        return act()
    faults = _faults_due(context, protocol, order_id)
    if Fault.API_SLOW in faults:
        # Not waiting for anything: being slow is what was asked for.
        time.sleep(context.settings.sandbox_bank_slow_seconds)
    if Fault.API_500 in faults:
        raise OutOfOrder
    result = act()
    if Fault.API_DEAD in faults:
        raise OutOfOrder
    return result


def _faults_due(context: Context, protocol: str, order_id: str) -> frozenset[Fault]:
    default = parse_faults(context.settings.sandbox_bank_faults)
    with context.db.transaction() as tx:
        assigned = repository.faults_of_order(tx, protocol, order_id, default)
        return frozenset(
            fault for fault in sorted(assigned & OF_THE_API) if repository.strike_once(tx, protocol, order_id, fault)
        )


def set_plan(context: Context, plan: Sequence[Sequence[Fault]]) -> None:
    """New orders take the next list of faults each, round and round; an empty plan leaves them to the settings."""
    with context.db.autocommit() as tx:
        repository.set_plan(tx, plan)


def set_faults(context: Context, protocol: str, order_id: str, faults: Iterable[Fault]) -> None:
    """Change what goes wrong with one payment; raises PaymentUnknown."""
    with context.db.autocommit() as tx:
        if not repository.set_faults(tx, protocol, order_id, faults):
            raise PaymentUnknown


def list_payments(context: Context, protocol: str) -> list[Payment]:
    """The newest of one protocol, as the bank sees them."""
    with context.db.autocommit() as tx:
        return repository.list_newest(tx, protocol, limit=LISTED)


def _known(payment: Payment | None) -> Payment:
    if payment is None:
        raise PaymentUnknown
    return payment


def _step(
    context: Context, tx: Connection, payment: Payment, state: State, *, refunded_minor: int | None = None
) -> Payment:
    """Change the state of a locked payment and write down the notifications that follow."""
    if not payment.may_become(state):
        raise WrongState
    refunded = payment.refunded_minor if refunded_minor is None else refunded_minor
    repository.save(tx, payment, state, refunded)
    _notify(context, tx, payment, state, amount_minor=_told_amount(payment, state, refunded))
    after = repository.lock_by_public_id(tx, payment.protocol, payment.public_id)
    return _known(after)


def _told_amount(payment: Payment, state: State, refunded_minor: int) -> int:
    """A partial refund tells what was given back this time, everything else the whole amount."""
    return refunded_minor - payment.refunded_minor if state is State.PARTIAL_REFUNDED else payment.amount_minor


def _notify(context: Context, tx: Connection, payment: Payment, state: State, *, amount_minor: int) -> None:
    wire = context.wires[payment.protocol]
    now = context.clock.now()
    labels = list(wire.labels(payment.state, state))
    for label, due_at in zip(labels, _due_times(context, payment.faults, len(labels), now), strict=True):
        message = wire.message(
            payment,
            label,
            amount_minor=amount_minor + (1 if Fault.WRONG_AMOUNT in payment.faults else 0),
            wrong_terminal=Fault.WRONG_TERMINAL in payment.faults,
            wrong_signature=Fault.WRONG_SIGNATURE in payment.faults,
        )
        if message is None:
            continue
        for _ in range(2 if Fault.NOTIFY_TWICE in payment.faults else 1):
            repository.add_delivery(tx, payment, message, due_at=due_at, max_attempts=MAX_ATTEMPTS)


def _due_times(context: Context, faults: Iterable[Fault], count: int, now: datetime) -> list[datetime] | list[None]:
    """When each of ``count`` notifications of one step is sent: all at once, unless asked otherwise."""
    if Fault.NOTIFY_LOST in faults:
        return [None] * count
    late = context.settings.sandbox_bank_late_seconds if Fault.NOTIFY_LATE in faults else 0.0
    step = OUT_OF_ORDER_SECONDS if Fault.NOTIFY_OUT_OF_ORDER in faults else 0.0
    return [now + timedelta(seconds=late + step * (count - 1 - place)) for place in range(count)]
