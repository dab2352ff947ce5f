"""Use cases of the sandbox bank. A payment's step and the notifications that it brings about are one transaction."""

import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeVar

from common.db.connection import Connection
from services.sandbox_bank import repository
from services.sandbox_bank.context import Context
from services.sandbox_bank.errors import (
    AmountTooLarge,
    KeyReused,
    OrderTaken,
    OutOfOrder,
    PaymentUnknown,
    WrongState,
)
from services.sandbox_bank.faults import OF_THE_API, SPOILING, Fault, parse_faults
from services.sandbox_bank.models import DECLINED_CARD, PAYING_CARD, Payment, Refund, State
from services.sandbox_bank.repository import NewPayment

T = TypeVar("T")

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
    """Make a payment that can be paid at its page; the same idempotence key gives the same one.

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
        if before.state is State.NEW:
            after = _step(context, tx, before, State.CANCELED)
        elif before.state is State.AUTHORIZED:
            after = _step(context, tx, before, State.REVERSED)
        else:
            _give_back(context, tx, before, amount_minor, request_key)
            after = _known(repository.lock_by_public_id(tx, protocol, public_id))
    context.wake.set()
    return before, after


def refund(
    context: Context, protocol: str, public_id: str, *, amount_minor: int | None, request_key: str | None
) -> Refund:
    """Give a paid payment back, wholly or partly; raises PaymentUnknown, WrongState, AmountTooLarge."""
    with context.db.transaction() as tx:
        payment = _known(repository.lock_by_public_id(tx, protocol, public_id))
        given = _give_back(context, tx, payment, amount_minor, request_key)
    context.wake.set()
    return given


def find_refund(context: Context, protocol: str, public_id: str) -> Refund:
    """By the bank's id; raises PaymentUnknown."""
    with context.db.autocommit() as tx:
        found = repository.refund_by_id(tx, protocol, public_id)
    if found is None:
        raise PaymentUnknown
    return found


def payments_between(
    context: Context, protocol: str, since: datetime, until: datetime, *, after_no: int, limit: int
) -> list[Payment]:
    """Payments made in a span of time, oldest first, from a place on."""
    with context.db.autocommit() as tx:
        return repository.list_between(tx, protocol, since=since, until=until, after_no=after_no, limit=limit)


def _give_back(
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


def _step(context: Context, tx: Connection, payment: Payment, state: State, refund: Refund | None = None) -> Payment:
    """Change the state of a locked payment and write down the notifications that follow."""
    if not payment.may_become(state):
        raise WrongState
    given = refund.amount_minor if refund else 0
    repository.save(tx, payment, state, payment.refunded_minor + given)
    after = _known(repository.lock_by_public_id(tx, payment.protocol, payment.public_id))
    _notify(context, tx, payment.state, after, refund)
    return after


def _notify(context: Context, tx: Connection, before: State, payment: Payment, refund: Refund | None) -> None:
    wire = context.wires[payment.protocol]
    # A partial refund tells what was given back this time, everything else the whole amount.
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
    """When each of ``count`` notifications of one step is sent: all at once, unless asked otherwise."""
    if Fault.NOTIFY_LOST in faults:
        return [None] * count
    now = context.clock.now()
    late = context.settings.sandbox_bank_late_seconds if Fault.NOTIFY_LATE in faults else 0.0
    step = OUT_OF_ORDER_SECONDS if Fault.NOTIFY_OUT_OF_ORDER in faults else 0.0
    return [now + timedelta(seconds=late + step * (count - 1 - place)) for place in range(count)]
