"""The schedule of attempts and the transitions of a delivery."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.webhooks.models import (
    GIVE_UP_AFTER,
    MAX_PAUSE_SECONDS,
    RETRY_DELAYS_SECONDS,
    TRANSITIONS,
    Delivery,
    DeliveryStatus,
    EventType,
    IllegalTransition,
    Outcome,
    pause_after,
    retry_delay,
)

ID = UUID("11111111-1111-4111-8111-111111111111")
NOON = datetime(2026, 1, 19, 12, tzinfo=UTC)
DOWN = Outcome(None, "the connection failed")


def delivery(status: DeliveryStatus = DeliveryStatus.PENDING, **fields: object) -> Delivery:
    return Delivery(ID, ID, ID, EventType.CHECK_ACCEPTED, status, 1, NOON, **fields)  # type: ignore[arg-type]


def after(outcome: Outcome, *, attempts: int = 1, started_at: datetime = NOON, is_last: bool = False) -> Delivery:
    return delivery(first_attempt_at=started_at).after(outcome, NOON, round_attempts=attempts, is_last=is_last)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_success_ends_a_delivery(status: int) -> None:
    done = after(Outcome(status))
    assert (done.status, done.delivered_at, done.next_attempt_at) == (DeliveryStatus.DELIVERED, NOON, None)
    assert done.response_status == status


@pytest.mark.parametrize("status", [100, 199, 300, 301, 302, 307, 400, 404, 500, 503])
def test_every_other_status_is_repeated(status: int) -> None:
    failed = after(Outcome(status, f"the receiver responded {status}"))
    assert failed.status is DeliveryStatus.PENDING
    assert failed.next_attempt_at == NOON + timedelta(seconds=5)
    assert failed.response_status == status


def test_delays_grow_to_eight_hours() -> None:
    delays = [retry_delay(attempts).total_seconds() for attempts in range(1, 12)]
    assert delays == [*RETRY_DELAYS_SECONDS, 28_800, 28_800]
    assert delays == sorted(delays)


@pytest.mark.parametrize(
    ("started_before", "status"),
    [
        (GIVE_UP_AFTER - timedelta(seconds=1), DeliveryStatus.PENDING),
        (GIVE_UP_AFTER, DeliveryStatus.FAILED),
        (GIVE_UP_AFTER + timedelta(hours=1), DeliveryStatus.FAILED),
    ],
)
def test_attempts_end_after_three_days(started_before: timedelta, status: DeliveryStatus) -> None:
    assert timedelta(days=3) == GIVE_UP_AFTER
    assert after(DOWN, attempts=20, started_at=NOON - started_before).status is status


def test_last_attempt_is_at_the_end_of_the_three_days() -> None:
    started_at = NOON - GIVE_UP_AFTER + timedelta(hours=2)
    assert after(DOWN, attempts=20, started_at=started_at).next_attempt_at == NOON + timedelta(hours=2)


def test_gone_and_the_attempt_of_a_disabled_webhook_are_final() -> None:
    assert after(Outcome(410, "the receiver responded 410")).status is DeliveryStatus.FAILED
    assert after(DOWN, is_last=True).status is DeliveryStatus.FAILED
    assert after(Outcome(204), is_last=True).status is DeliveryStatus.DELIVERED


@pytest.mark.parametrize("status", DeliveryStatus)
def test_replay_starts_a_new_series_of_attempts(status: DeliveryStatus) -> None:
    replayed = delivery(status, first_attempt_at=NOON - timedelta(days=9)).replayed(NOON)
    assert (replayed.status, replayed.next_attempt_at) == (DeliveryStatus.PENDING, NOON)
    assert replayed.first_attempt_at is None
    assert replayed.is_replay


@pytest.mark.parametrize("status", [DeliveryStatus.DELIVERED, DeliveryStatus.FAILED])
def test_ended_delivery_has_no_outcome(status: DeliveryStatus) -> None:
    assert TRANSITIONS[status] == {DeliveryStatus.PENDING}
    with pytest.raises(IllegalTransition):
        delivery(status).after(Outcome(200), NOON, round_attempts=1, is_last=False)


def test_webhook_pauses_after_five_failures_for_at_most_ten_minutes() -> None:
    pauses = [pause_after(failures).total_seconds() for failures in (0, 1, 4, 5, 6, 7, 11, 12, 13, 5_000)]
    assert pauses == [0, 0, 0, 5, 10, 20, 320, MAX_PAUSE_SECONDS, MAX_PAUSE_SECONDS, MAX_PAUSE_SECONDS]
