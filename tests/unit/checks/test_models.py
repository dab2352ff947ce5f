"""Status transitions of a check, and its freezes after wrong codes."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from common.contracts import events
from services.checks.models import (
    MAX_DOUBLINGS,
    MAX_WRONG_CODES,
    TRANSITIONS,
    Check,
    CheckStatus,
    FreezePolicy,
    IllegalTransition,
    number_of,
    random_number,
    seconds_until,
)

NOW = datetime(2026, 1, 19, 9, 8, 18, 500_000, tzinfo=UTC)
ACCEPTOR = UUID("22222222-2222-4222-8222-222222222222")
POLICY = FreezePolicy(after_wrong_codes=5, seconds=900)


def _check(status: CheckStatus = CheckStatus.ACTIVE, expires_at: datetime = NOW + timedelta(days=7)) -> Check:
    return Check(
        check_id=uuid4(),
        number="123456780001",
        creator_id=uuid4(),
        acceptor_id=None,
        amount_minor=15_000,
        currency="RUB",
        note=None,
        code_ciphertext=b"",
        status=status,
        created_at=NOW - timedelta(days=1),
        expires_at=expires_at,
        closes_at=expires_at,
    )


def _expire(check: Check) -> Check:
    return check.expire(check.expires_at)


METHODS: dict[CheckStatus, Callable[[Check], Check]] = {
    CheckStatus.ACTIVE: Check.activate,
    CheckStatus.REJECTED: lambda check: check.reject(NOW),
    CheckStatus.USED: lambda check: check.accept(ACCEPTOR, NOW),
    CheckStatus.EXPIRED: _expire,
    CheckStatus.CANCELLED: lambda check: check.cancel(NOW),
}


def test_every_status_has_transitions_and_all_but_pending_a_method() -> None:
    assert set(TRANSITIONS) == set(CheckStatus)
    assert set(METHODS) == set(CheckStatus) - {CheckStatus.PENDING}


@pytest.mark.parametrize("before", list(CheckStatus))
@pytest.mark.parametrize("after", list(METHODS))
def test_method_follows_the_transitions(before: CheckStatus, after: CheckStatus) -> None:
    check = _check(before)
    if after in TRANSITIONS[before]:
        assert METHODS[after](check).status is after
    else:
        with pytest.raises(IllegalTransition):
            METHODS[after](check)


def test_ended_check_has_its_acceptor_and_its_time() -> None:
    check = _check()
    used, cancelled, expired = check.accept(ACCEPTOR, NOW), check.cancel(NOW), _expire(check)
    assert (used.acceptor_id, used.closes_at) == (ACCEPTOR, NOW)
    assert (cancelled.acceptor_id, cancelled.closes_at) == (None, NOW)
    assert (expired.acceptor_id, expired.closes_at) == (None, check.expires_at)


def test_decided_pending_check_is_not_retried() -> None:
    pending = replace(_check(CheckStatus.PENDING), tries=3, next_try_at=NOW + timedelta(minutes=1))
    active, rejected = pending.activate(), pending.reject(NOW)
    assert (active.status, active.next_try_at, active.closes_at) == (CheckStatus.ACTIVE, None, pending.closes_at)
    assert (rejected.status, rejected.next_try_at, rejected.closes_at) == (CheckStatus.REJECTED, None, NOW)


def test_expiration_decides_between_accept_and_expire() -> None:
    check = _check(expires_at=NOW)
    before = NOW - timedelta(microseconds=1)
    assert (check.status_at(before), check.status_at(NOW)) == (CheckStatus.ACTIVE, CheckStatus.EXPIRED)
    assert check.accept(ACCEPTOR, before).status is CheckStatus.USED
    with pytest.raises(IllegalTransition):
        check.accept(ACCEPTOR, NOW)
    with pytest.raises(IllegalTransition):
        check.cancel(NOW)
    with pytest.raises(IllegalTransition):
        check.expire(before)


def test_only_an_active_check_gets_a_new_code_which_ends_a_freeze() -> None:
    check = _check()
    frozen = replace(check, failed_attempts=3, wrong_codes=MAX_WRONG_CODES, freezes=1, frozen_until=NOW)
    assert frozen.change_code(b"new") == replace(check, code_ciphertext=b"new")
    with pytest.raises(IllegalTransition):
        frozen.cancel(NOW).change_code(b"new")


def test_freeze_follows_five_wrong_codes_and_doubles() -> None:
    check, now = _check(), NOW
    for doubling in range(3):
        for wrong in range(1, 5):
            check = check.count_wrong_code(now, POLICY)
            assert (check.failed_attempts, check.is_frozen(now)) == (wrong, False)
        check = check.count_wrong_code(now, POLICY)
        assert check.frozen_until == now + timedelta(minutes=15) * 2**doubling
        assert (check.failed_attempts, check.freezes, check.is_frozen(now)) == (0, doubling + 1, True)
        now = check.frozen_until
        assert not check.is_frozen(now)


def test_twentieth_wrong_code_freezes_the_check_until_its_code_changes() -> None:
    check, now = _check(), NOW
    for wrong in range(1, MAX_WRONG_CODES + 1):
        assert not check.is_frozen(now)
        check = check.count_wrong_code(now, POLICY)
        assert (check.wrong_codes, check.code_change_required) == (wrong, wrong == MAX_WRONG_CODES)
        now = check.frozen_until or now
    assert check.is_frozen(now + timedelta(days=1_000))
    assert not check.change_code(b"new").is_frozen(now)


def test_freeze_has_a_maximum_that_outlasts_every_check() -> None:
    check = replace(_check(), failed_attempts=4, freezes=1_000_000)
    frozen_until = check.count_wrong_code(NOW, POLICY).frozen_until
    assert frozen_until == NOW + timedelta(minutes=15) * 2**MAX_DOUBLINGS
    assert frozen_until - NOW > timedelta(days=90)


def test_events_have_all_fields_that_balance_needs() -> None:
    check = _check()
    common: dict[str, Any] = {
        "check_id": check.check_id,
        "fastcheck": "1234-5678-0001",
        "amount_minor": 15_000,
        "currency": "RUB",
        "creator_id": check.creator_id,
        "created_at": check.created_at,
        "note": check.note,
    }
    assert check.accept(ACCEPTOR, NOW).accepted_event() == events.CheckAccepted(
        acceptor_id=ACCEPTOR, occurred_at=NOW, **common
    )
    assert check.cancel(NOW).cancelled_event() == events.CheckCancelled(occurred_at=NOW, **common)
    assert _expire(check).expired_event() == events.CheckExpired(occurred_at=check.expires_at, **common)
    with pytest.raises(IllegalTransition):
        check.accepted_event()


def test_number_has_twelve_digits_in_three_groups() -> None:
    numbers = {random_number() for _ in range(1_000)}
    assert len(numbers) == 1_000
    for number in numbers:
        shown = replace(_check(), number=number).fastcheck
        assert [len(group) for group in shown.split("-")] == [4, 4, 4]
        assert number_of(shown) == number


@pytest.mark.parametrize(("seconds", "wait"), [(-5, 1), (0, 1), (0.2, 1), (1, 1), (1.001, 2), (900, 900)])
def test_wait_is_rounded_up_to_at_least_one_second(seconds: float, wait: int) -> None:
    assert seconds_until(NOW + timedelta(seconds=seconds), NOW) == wait
