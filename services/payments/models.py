"""The life cycle of a top-up: statuses, transitions, and the effect of a bank's notification in each status.

Described in ``docs/explanation/top-up-lifecycle.md``. The tables are in ``migrations``.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal
from uuid import UUID

from common.core.ids import derived_id
from common.core.money import Money
from services.payments.banks.base import Notification, PaymentOrder, PaymentStatus


class TopUpStatus(StrEnum):
    """Status of a top-up, as stored."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    EXPIRED = "expired"
    REFUND_PENDING = "refund_pending"
    PARTLY_REFUNDED = "partly_refunded"
    REFUNDED = "refunded"


#: A late notification can still confirm a failed or expired top-up, because its money is real.
TRANSITIONS: Final[Mapping[TopUpStatus, frozenset[TopUpStatus]]] = {
    TopUpStatus.PENDING: frozenset({TopUpStatus.CONFIRMED, TopUpStatus.FAILED, TopUpStatus.EXPIRED}),
    TopUpStatus.FAILED: frozenset({TopUpStatus.CONFIRMED}),
    TopUpStatus.EXPIRED: frozenset({TopUpStatus.CONFIRMED}),
    TopUpStatus.CONFIRMED: frozenset({TopUpStatus.REFUND_PENDING}),
    TopUpStatus.REFUND_PENDING: frozenset({TopUpStatus.CONFIRMED, TopUpStatus.PARTLY_REFUNDED, TopUpStatus.REFUNDED}),
    TopUpStatus.PARTLY_REFUNDED: frozenset({TopUpStatus.REFUND_PENDING}),
    TopUpStatus.REFUNDED: frozenset(),
}

PublicStatus = Literal["pending", "confirmed", "failed", "expired", "refunded"]

_PUBLIC: Final[Mapping[TopUpStatus, PublicStatus]] = {
    TopUpStatus.PENDING: "pending",
    TopUpStatus.CONFIRMED: "confirmed",
    TopUpStatus.FAILED: "failed",
    TopUpStatus.EXPIRED: "expired",
    TopUpStatus.REFUND_PENDING: "confirmed",
    TopUpStatus.PARTLY_REFUNDED: "confirmed",
    TopUpStatus.REFUNDED: "refunded",
}


def public_status(status: TopUpStatus) -> PublicStatus:
    """Return the status as the public API shows it. A top-up is ``refunded`` only when all of it is refunded."""
    return _PUBLIC[status]


class AttemptState(StrEnum):
    """State of one attempt: one order at the bank."""

    CREATING = "creating"  # the order is or will be sent to the bank; the response is not stored yet
    PAYABLE = "payable"  # the URL of the payment page is stored
    PAID = "paid"  # the payment is accounted for: credited, or refunded at the bank before it could be
    SURPLUS = "surplus"  # paid, but not credited: the money is refunded to the card
    VOID = "void"  # abandoned: no user was given its page


class Verdict(StrEnum):
    """Classification of a notification."""

    APPLIED = "applied"
    NOTED = "noted"  # valid, without effect: a repeat, late, or not final
    BAD_SIGNATURE = "bad_signature"
    UNKNOWN_ORDER = "unknown_order"
    WRONG_TERMINAL = "wrong_terminal"
    WRONG_AMOUNT = "wrong_amount"
    WRONG_CURRENCY = "wrong_currency"
    WRONG_PAYMENT = "wrong_payment"  # another payment for the same order
    SECOND_PAYMENT = "second_payment"  # a second attempt of a credited top-up was paid: refunded to the card
    LATE_NOT_CREDITED = "late_not_credited"  # paid after expiry, where the settings forbid the credit: refunded
    UNEXPECTED_REFUND = "unexpected_refund"  # refunded at the bank, not by this service


#: Rejected towards the bank, so that it repeats the notification: an operator may have fixed the cause by then.
REFUSED: Final = frozenset(
    {
        Verdict.UNKNOWN_ORDER,
        Verdict.WRONG_TERMINAL,
        Verdict.WRONG_AMOUNT,
        Verdict.WRONG_CURRENCY,
        Verdict.WRONG_PAYMENT,
    }
)


class IllegalTransition(Exception):
    """A status change that TRANSITIONS forbids. Always a bug, never a response to a client."""


@dataclass(frozen=True, slots=True)
class TopUp:
    """A request to credit a balance from a card, and its status. Amounts are in minor units."""

    topup_id: UUID
    topup_no: int
    user_id: UUID
    bank: str
    amount_minor: int
    currency: str
    status: TopUpStatus
    return_url: str
    created_at: datetime
    expires_at: datetime
    confirmed_at: datetime | None
    refunded_minor: int
    polls: int

    @property
    def money(self) -> Money:
        return Money(self.amount_minor, self.currency)

    def may_become(self, status: TopUpStatus) -> bool:
        """Return whether TRANSITIONS allows this status next."""
        return status in TRANSITIONS[self.status]

    def must_become(self, status: TopUpStatus) -> TopUpStatus:
        """Return ``status``; raise IllegalTransition if TRANSITIONS forbids it next."""
        if not self.may_become(status):
            raise IllegalTransition(f"a top-up cannot go from {self.status} to {status}")
        return status


@dataclass(frozen=True, slots=True)
class Attempt:
    """One order at the bank. The latest attempt of a top-up is current; earlier ones are void."""

    topup_id: UUID
    attempt_no: int
    bank_order_id: str
    state: AttemptState
    bank_payment_id: str | None
    payment_url: str | None


def order_id_of(topup_id: UUID, attempt_no: int) -> str:
    """Return the order number of an attempt: 26 characters, since one of the banks accepts at most 30."""
    number = topup_id if attempt_no == 1 else derived_id("topup_attempt", topup_id, str(attempt_no))
    return base64.b32encode(number.bytes).decode().rstrip("=").lower()


def order_of(topup: TopUp, attempt: Attempt, description: str) -> PaymentOrder:
    """Return the order that an adapter sends. Its description contains the top-up's id for searches at the bank."""
    return PaymentOrder(
        topup_id=topup.topup_id,
        order_id=attempt.bank_order_id,
        money=topup.money,
        description=f"{description} {topup.topup_id}",
        created_at=topup.created_at,
        expires_at=topup.expires_at,
        bank_payment_id=attempt.bank_payment_id,
        refunded_minor=topup.refunded_minor,
    )


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict on a notification, and the new status of the top-up and of the attempt, if they change."""

    verdict: Verdict
    becomes: TopUpStatus | None = None
    attempt_becomes: AttemptState | None = None


def evaluate(
    topup: TopUp, attempt: Attempt, notification: Notification, terminal: str, *, credit_late: bool
) -> Decision:
    """Decide what an authentic notification changes. The caller holds the lock of the top-up's row.

    ``terminal`` is the account of this merchant at the bank. ``credit_late``: credit a payment after expiry.
    """
    mismatch = _mismatch(topup, attempt, notification, terminal)
    if mismatch is not None:
        return Decision(mismatch)
    if notification.status is PaymentStatus.CONFIRMED:
        return _evaluate_confirmation(topup, attempt, credit_late=credit_late)
    if notification.status in (PaymentStatus.REFUNDED, PaymentStatus.PARTLY_REFUNDED):
        return _evaluate_refund(topup, attempt, notification.status)
    ends_as = _ENDED_UNPAID.get(notification.status)
    counts = attempt.state in (AttemptState.CREATING, AttemptState.PAYABLE)
    if ends_as is not None and counts and topup.may_become(ends_as):
        return Decision(Verdict.APPLIED, ends_as)
    return Decision(Verdict.NOTED)


#: Ended at the bank without a payment.
_ENDED_UNPAID: Final = {PaymentStatus.FAILED: TopUpStatus.FAILED, PaymentStatus.EXPIRED: TopUpStatus.EXPIRED}


def _mismatch(topup: TopUp, attempt: Attempt, notification: Notification, terminal: str) -> Verdict | None:
    if notification.terminal is not None and notification.terminal != terminal:
        return Verdict.WRONG_TERMINAL
    if notification.order_id is not None and notification.order_id != attempt.bank_order_id:
        return Verdict.UNKNOWN_ORDER
    # Null until the response of create_payment is stored: a notification may arrive first.
    if attempt.bank_payment_id not in (None, notification.bank_payment_id):
        return Verdict.WRONG_PAYMENT
    if notification.currency is not None and notification.currency != topup.currency:
        return Verdict.WRONG_CURRENCY
    # A payment must name the exact amount. A refund may name a part of it.
    named_wrong = notification.amount_minor is not None and notification.amount_minor != topup.amount_minor
    if notification.status is PaymentStatus.HELD and named_wrong:
        return Verdict.WRONG_AMOUNT
    if notification.status is PaymentStatus.CONFIRMED and (named_wrong or notification.amount_minor is None):
        return Verdict.WRONG_AMOUNT
    return None


def _evaluate_confirmation(topup: TopUp, attempt: Attempt, *, credit_late: bool) -> Decision:
    if attempt.state in (AttemptState.PAID, AttemptState.SURPLUS):
        return Decision(Verdict.NOTED)
    if topup.status is TopUpStatus.EXPIRED and not credit_late:
        return Decision(Verdict.LATE_NOT_CREDITED, attempt_becomes=AttemptState.SURPLUS)
    if topup.may_become(TopUpStatus.CONFIRMED) and topup.confirmed_at is None:
        return Decision(Verdict.APPLIED, TopUpStatus.CONFIRMED, AttemptState.PAID)
    return Decision(Verdict.SECOND_PAYMENT, attempt_becomes=AttemptState.SURPLUS)


def _evaluate_refund(topup: TopUp, attempt: Attempt, status: PaymentStatus) -> Decision:
    if attempt.state is AttemptState.SURPLUS:
        return Decision(Verdict.NOTED)
    if attempt.state is AttemptState.PAID:
        expected = topup.status is TopUpStatus.REFUND_PENDING or topup.refunded_minor > 0
        return Decision(Verdict.NOTED if expected else Verdict.UNEXPECTED_REFUND)
    if status is PaymentStatus.PARTLY_REFUNDED:
        return Decision(Verdict.UNEXPECTED_REFUND)
    # Paid and refunded at the bank before the confirmation arrived. A confirmation that arrives later is about money
    # that has already left, so the attempt counts as paid.
    fails = topup.may_become(TopUpStatus.FAILED)
    return Decision(Verdict.UNEXPECTED_REFUND, TopUpStatus.FAILED if fails else None, AttemptState.PAID)
