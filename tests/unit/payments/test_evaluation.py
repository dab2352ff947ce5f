"""The effect of a notification in each status of a top-up, as in ``docs/explanation/top-up-lifecycle.md``."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from common.core.money import Money
from services.payments.banks.base import Notification, PaymentOrder, PaymentStatus
from services.payments.models import (
    TRANSITIONS,
    Attempt,
    AttemptState,
    Decision,
    IllegalTransition,
    TopUp,
    TopUpStatus,
    Verdict,
    evaluate,
    order_id_of,
    order_of,
    public_status,
)

S, A, P, V = TopUpStatus, AttemptState, PaymentStatus, Verdict
NOW = datetime(2026, 1, 19, 9, 8, 18, tzinfo=UTC)
TERMINAL = "Terminal"

TOPUP = TopUp(
    topup_id=uuid4(),
    topup_no=1,
    user_id=uuid4(),
    bank="tbank",
    amount_minor=50_000,
    currency="RUB",
    status=S.PENDING,
    return_url="https://shop.example/",
    created_at=NOW,
    expires_at=NOW + timedelta(hours=1),
    confirmed_at=None,
    refunded_minor=0,
    polls=0,
)
ATTEMPT = Attempt(TOPUP.topup_id, 1, order_id_of(TOPUP.topup_id, 1), A.PAYABLE, "700", "https://bank.example/pay")
CONFIRMATION = Notification("700", ATTEMPT.bank_order_id, P.CONFIRMED, "CONFIRMED", 50_000, "RUB", TERMINAL)


def verdict(
    status: TopUpStatus,
    attempt: AttemptState,
    notification: PaymentStatus,
    *,
    credit_late: bool = True,
    refunded: int = 0,
) -> Decision:
    credited = status in (S.CONFIRMED, S.REFUND_PENDING, S.PARTLY_REFUNDED, S.REFUNDED)
    topup = replace(TOPUP, status=status, confirmed_at=NOW if credited else None, refunded_minor=refunded)
    return evaluate(
        topup,
        replace(ATTEMPT, state=attempt),
        replace(CONFIRMATION, status=notification),
        TERMINAL,
        credit_late=credit_late,
    )


@pytest.mark.parametrize(
    ("status", "attempt", "notification", "wanted", "becomes"),
    [
        (S.PENDING, A.PAYABLE, P.OPEN, V.NOTED, None),
        (S.PENDING, A.PAYABLE, P.HELD, V.NOTED, None),
        (S.PENDING, A.PAYABLE, P.OTHER, V.NOTED, None),
        (S.PENDING, A.PAYABLE, P.CONFIRMED, V.APPLIED, S.CONFIRMED),
        (S.PENDING, A.CREATING, P.CONFIRMED, V.APPLIED, S.CONFIRMED),
        (S.PENDING, A.VOID, P.CONFIRMED, V.APPLIED, S.CONFIRMED),
        (S.PENDING, A.PAYABLE, P.FAILED, V.APPLIED, S.FAILED),
        (S.PENDING, A.VOID, P.FAILED, V.NOTED, None),
        (S.PENDING, A.PAYABLE, P.EXPIRED, V.APPLIED, S.EXPIRED),
        (S.PENDING, A.VOID, P.EXPIRED, V.NOTED, None),
        (S.EXPIRED, A.PAYABLE, P.EXPIRED, V.NOTED, None),
        (S.CONFIRMED, A.PAID, P.EXPIRED, V.NOTED, None),
        (S.PENDING, A.PAYABLE, P.REFUNDED, V.UNEXPECTED_REFUND, S.FAILED),
        (S.PENDING, A.PAYABLE, P.PARTLY_REFUNDED, V.UNEXPECTED_REFUND, None),
        (S.FAILED, A.PAYABLE, P.CONFIRMED, V.APPLIED, S.CONFIRMED),
        (S.FAILED, A.PAID, P.CONFIRMED, V.NOTED, None),
        (S.FAILED, A.PAYABLE, P.FAILED, V.NOTED, None),
        (S.EXPIRED, A.PAYABLE, P.CONFIRMED, V.APPLIED, S.CONFIRMED),
        (S.EXPIRED, A.PAYABLE, P.FAILED, V.NOTED, None),
        (S.EXPIRED, A.PAYABLE, P.REFUNDED, V.UNEXPECTED_REFUND, None),
        (S.CONFIRMED, A.PAID, P.CONFIRMED, V.NOTED, None),
        (S.CONFIRMED, A.PAID, P.HELD, V.NOTED, None),
        (S.CONFIRMED, A.PAID, P.FAILED, V.NOTED, None),
        (S.CONFIRMED, A.PAYABLE, P.CONFIRMED, V.SECOND_PAYMENT, None),
        (S.CONFIRMED, A.VOID, P.CONFIRMED, V.SECOND_PAYMENT, None),
        (S.CONFIRMED, A.PAID, P.REFUNDED, V.UNEXPECTED_REFUND, None),
        (S.CONFIRMED, A.PAID, P.PARTLY_REFUNDED, V.UNEXPECTED_REFUND, None),
        (S.REFUND_PENDING, A.PAID, P.REFUNDED, V.NOTED, None),
        (S.REFUND_PENDING, A.PAID, P.CONFIRMED, V.NOTED, None),
        (S.REFUND_PENDING, A.VOID, P.CONFIRMED, V.SECOND_PAYMENT, None),
        (S.REFUND_PENDING, A.PAYABLE, P.CONFIRMED, V.SECOND_PAYMENT, None),
        (S.REFUNDED, A.PAID, P.CONFIRMED, V.NOTED, None),
        (S.REFUNDED, A.VOID, P.CONFIRMED, V.SECOND_PAYMENT, None),
        (S.CONFIRMED, A.SURPLUS, P.CONFIRMED, V.NOTED, None),
        (S.CONFIRMED, A.SURPLUS, P.REFUNDED, V.NOTED, None),
        (S.EXPIRED, A.SURPLUS, P.CONFIRMED, V.NOTED, None),
    ],
)
def test_notification_is_evaluated_by_the_status_of_the_top_up_and_of_the_attempt(
    status: TopUpStatus,
    attempt: AttemptState,
    notification: PaymentStatus,
    wanted: Verdict,
    becomes: TopUpStatus | None,
) -> None:
    found = verdict(status, attempt, notification)
    assert (found.verdict, found.becomes) == (wanted, becomes)
    assert becomes is None or becomes in TRANSITIONS[status]


def test_notification_of_an_own_refund_is_noted() -> None:
    assert verdict(S.PARTLY_REFUNDED, A.PAID, P.PARTLY_REFUNDED, refunded=100).verdict is V.NOTED
    assert verdict(S.REFUNDED, A.PAID, P.REFUNDED, refunded=50_000).verdict is V.NOTED


def test_payment_that_is_not_credited_becomes_surplus() -> None:
    late = verdict(S.EXPIRED, A.PAYABLE, P.CONFIRMED, credit_late=False)
    assert late == Decision(V.LATE_NOT_CREDITED, None, A.SURPLUS)
    assert verdict(S.CONFIRMED, A.VOID, P.CONFIRMED).attempt_becomes is A.SURPLUS


@pytest.mark.parametrize(
    ("notification", "wanted"),
    [
        (replace(CONFIRMATION, terminal="Another"), V.WRONG_TERMINAL),
        (replace(CONFIRMATION, order_id="another"), V.UNKNOWN_ORDER),
        (replace(CONFIRMATION, bank_payment_id="701"), V.WRONG_PAYMENT),
        (replace(CONFIRMATION, currency="USD"), V.WRONG_CURRENCY),
        (replace(CONFIRMATION, amount_minor=49_999), V.WRONG_AMOUNT),
        (replace(CONFIRMATION, amount_minor=None), V.WRONG_AMOUNT),
        (replace(CONFIRMATION, amount_minor=1, status=P.HELD), V.WRONG_AMOUNT),
    ],
)
@pytest.mark.parametrize("status", list(S))
def test_mismatched_notification_is_rejected_in_every_status(
    notification: Notification, wanted: Verdict, status: TopUpStatus
) -> None:
    assert evaluate(replace(TOPUP, status=status), ATTEMPT, notification, TERMINAL, credit_late=True) == Decision(
        wanted
    )


def test_every_decision_follows_the_transitions() -> None:
    for status in S:
        for attempt in A:
            for notification in P:
                becomes = verdict(status, attempt, notification).becomes
                assert becomes is None or becomes in TRANSITIONS[status], (status, attempt, notification)


def test_illegal_transition_raises() -> None:
    with pytest.raises(IllegalTransition):
        replace(TOPUP, status=S.REFUNDED).must_become(S.CONFIRMED)


def test_a_status_change_that_is_allowed_returns_the_new_status() -> None:
    assert replace(TOPUP, status=S.EXPIRED).must_become(S.CONFIRMED) is S.CONFIRMED
    with pytest.raises(IllegalTransition):
        replace(TOPUP, status=S.EXPIRED).must_become(S.FAILED)


@pytest.mark.parametrize(
    ("status", "attempt", "notification", "wanted"),
    [
        (S.PENDING, A.PAYABLE, P.CONFIRMED, Decision(V.APPLIED, S.CONFIRMED, A.PAID)),
        (S.EXPIRED, A.PAYABLE, P.CONFIRMED, Decision(V.APPLIED, S.CONFIRMED, A.PAID)),
        (S.CONFIRMED, A.VOID, P.CONFIRMED, Decision(V.SECOND_PAYMENT, None, A.SURPLUS)),
        (S.PENDING, A.PAYABLE, P.REFUNDED, Decision(V.UNEXPECTED_REFUND, S.FAILED, A.PAID)),
        (S.EXPIRED, A.PAYABLE, P.REFUNDED, Decision(V.UNEXPECTED_REFUND, None, A.PAID)),
    ],
)
def test_a_notification_changes_the_attempt_too(
    status: TopUpStatus, attempt: AttemptState, notification: PaymentStatus, wanted: Decision
) -> None:
    assert verdict(status, attempt, notification) == wanted


def test_a_refund_of_one_kopeck_makes_later_refunds_expected() -> None:
    assert verdict(S.CONFIRMED, A.PAID, P.REFUNDED, refunded=1) == Decision(V.NOTED)
    assert verdict(S.CONFIRMED, A.PAID, P.REFUNDED, refunded=0) == Decision(V.UNEXPECTED_REFUND)


def test_order_numbers_are_the_ones_that_banks_have_already() -> None:
    """A number is derived again when the bank is asked: it must not change with a version."""
    topup_id = UUID("12345678-1234-5678-1234-567812345678")
    assert [order_id_of(topup_id, attempt_no) for attempt_no in (1, 2, 3)] == [
        "ci2fm6asgrlhqerukz4bencwpa",
        "rkrbcn4r7fi2pirupg45zpht6a",
        "2xltis6b3nm35dugmvpi4hdsny",
    ]


def test_an_order_has_all_that_the_bank_is_asked_for() -> None:
    topup = replace(TOPUP, refunded_minor=7)
    assert order_of(topup, ATTEMPT, "Top-up") == PaymentOrder(
        topup_id=TOPUP.topup_id,
        order_id=ATTEMPT.bank_order_id,
        money=Money(50_000, "RUB"),
        description=f"Top-up {TOPUP.topup_id}",
        created_at=NOW,
        expires_at=NOW + timedelta(hours=1),
        bank_payment_id="700",
        refunded_minor=7,
    )


def test_order_numbers_fit_every_bank_and_are_unique() -> None:
    numbers = [order_id_of(TOPUP.topup_id, attempt_no) for attempt_no in range(1, 50)]
    assert len(set(numbers)) == len(numbers)
    assert {len(number) for number in numbers} == {26}
    assert all(number.isascii() and number.isalnum() for number in numbers)


def test_every_status_has_a_public_status() -> None:
    assert {public_status(status) for status in S} == {"pending", "confirmed", "failed", "expired", "refunded"}
