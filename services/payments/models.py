"""The life of a top-up: statuses, transitions, and what a bank's word does in each of them.

One page with the whole of it: ``docs/explanation/top-up-lifecycle.md``. The tables are in ``migrations``.
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
    """Where a top-up stands."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    EXPIRED = "expired"
    REFUND_PENDING = "refund_pending"
    PARTLY_REFUNDED = "partly_refunded"
    REFUNDED = "refunded"


#: A bank's late word can still turn a failed or expired top-up into a confirmed one: its money is real.
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
    """The status in the words of the public API; a refund shows when all of it is given back."""
    return _PUBLIC[status]


class AttemptState(StrEnum):
    """Where one try to have a top-up paid stands."""

    CREATING = "creating"  # the bank has been asked, or is about to be; its answer is not stored
    PAYABLE = "payable"  # the page's address is known
    PAID = "paid"  # its money came and is accounted for: credited, or given back before it was
    SURPLUS = "surplus"  # its money came, is not credited, and goes back to the card
    VOID = "void"  # given up: nobody was ever told its page


class Verdict(StrEnum):
    """What became of a bank's word."""

    APPLIED = "applied"
    NOTED = "noted"  # true, and changes nothing: a repeat, late, or not final
    BAD_SIGNATURE = "bad_signature"
    UNKNOWN_ORDER = "unknown_order"
    WRONG_TERMINAL = "wrong_terminal"
    WRONG_AMOUNT = "wrong_amount"
    WRONG_CURRENCY = "wrong_currency"
    WRONG_PAYMENT = "wrong_payment"  # another payment for the same order
    SECOND_PAYMENT = "second_payment"  # another attempt's money, when the top-up has its own: it goes back
    LATE_NOT_CREDITED = "late_not_credited"  # after our expiry, where the setting says not to credit: it goes back
    UNEXPECTED_REFUND = "unexpected_refund"  # given back at the bank, and not by us


#: Answered to the bank as not taken, so that it comes again: a person may have put it right by then.
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
    """A status change that TRANSITIONS does not have: a bug, never an answer to somebody."""


@dataclass(frozen=True, slots=True)
class TopUp:
    """A wish to put money on the balance, and how far it has come. ``amount_minor`` in whole minor units."""

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
        """Whether TRANSITIONS has this step."""
        return status in TRANSITIONS[self.status]

    def must_become(self, status: TopUpStatus) -> TopUpStatus:
        """The step, for the one who makes it; raises IllegalTransition."""
        if not self.may_become(status):
            raise IllegalTransition(f"a top-up cannot go from {self.status} to {status}")
        return status


@dataclass(frozen=True, slots=True)
class Attempt:
    """One order at the bank. A top-up has one that counts (the last) and perhaps some that were given up."""

    topup_id: UUID
    attempt_no: int
    bank_order_id: str
    state: AttemptState
    bank_payment_id: str | None
    payment_url: str | None


def order_id_of(topup_id: UUID, attempt_no: int) -> str:
    """Our number of an attempt: 26 characters, because the tightest of the banks takes no more than 30."""
    number = topup_id if attempt_no == 1 else derived_id("topup_attempt", topup_id, str(attempt_no))
    return base64.b32encode(number.bytes).decode().rstrip("=").lower()


def order_of(topup: TopUp, attempt: Attempt, description: str) -> PaymentOrder:
    """The attempt in the words of the port. The description bears our id, so that it is found in the bank's cabinet."""
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
    """What is to be done about a bank's word: the verdict, and what becomes of top-up and attempt, if anything."""

    verdict: Verdict
    becomes: TopUpStatus | None = None
    attempt_becomes: AttemptState | None = None


def evaluate(
    topup: TopUp, attempt: Attempt, notification: Notification, terminal: str, *, credit_late: bool
) -> Decision:
    """Compare a genuine word of the bank with our row. The caller holds the row's lock."""
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


#: Over at the bank, without money.
_ENDED_UNPAID: Final = {PaymentStatus.FAILED: TopUpStatus.FAILED, PaymentStatus.EXPIRED: TopUpStatus.EXPIRED}


def _mismatch(topup: TopUp, attempt: Attempt, notification: Notification, terminal: str) -> Verdict | None:
    if notification.terminal is not None and notification.terminal != terminal:
        return Verdict.WRONG_TERMINAL
    if notification.order_id is not None and notification.order_id != attempt.bank_order_id:
        return Verdict.UNKNOWN_ORDER
    # Null until our own answer of create_payment is stored: a notification may be quicker.
    if attempt.bank_payment_id not in (None, notification.bank_payment_id):
        return Verdict.WRONG_PAYMENT
    if notification.currency is not None and notification.currency != topup.currency:
        return Verdict.WRONG_CURRENCY
    # Money that comes must be named, and be ours; of money that goes back banks name a part.
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
    # It came and went behind our back, before we were told that it came: a confirmation that is still on its way
    # speaks of money that is gone.
    fails = topup.may_become(TopUpStatus.FAILED)
    return Decision(Verdict.UNEXPECTED_REFUND, TopUpStatus.FAILED if fails else None, AttemptState.PAID)
