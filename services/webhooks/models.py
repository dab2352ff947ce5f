"""Webhooks, messages and deliveries, and the schedule of attempts. The tables are in ``migrations``.

A message is one event as one user sees it. A delivery is a message on its way to one webhook of that user.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Self
from uuid import UUID

#: Maximum number of webhooks of one user.
MAX_WEBHOOKS: Final = 5
#: After this time without a success, the attempts of a delivery end.
GIVE_UP_AFTER: Final = timedelta(days=3)
#: Time in which deliveries carry the signature of the previous secret too.
SECRET_OVERLAP: Final = timedelta(hours=24)
#: Delays after the first, second, … failed attempt, in seconds. The last one repeats.
RETRY_DELAYS_SECONDS: Final = (5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800)
#: From this number of consecutive failures on, all deliveries of a webhook pause together.
PAUSE_AFTER_FAILURES: Final = 5
MAX_PAUSE_SECONDS: Final = 600


class EventType(StrEnum):
    """The types of events, as receivers see them."""

    CHECK_CREATED = "check.created"
    CHECK_ACCEPTED = "check.accepted"
    CHECK_EXPIRED = "check.expired"
    CHECK_CANCELLED = "check.cancelled"
    TOPUP_CONFIRMED = "topup.confirmed"


class WebhookStatus(StrEnum):
    """A disabled webhook gets no events."""

    ENABLED = "enabled"
    DISABLED = "disabled"


class DeliveryStatus(StrEnum):
    """``failed``: there are no further attempts, unless the user asks for one."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


TRANSITIONS: Final[Mapping[DeliveryStatus, frozenset[DeliveryStatus]]] = {
    DeliveryStatus.PENDING: frozenset(DeliveryStatus),
    DeliveryStatus.DELIVERED: frozenset({DeliveryStatus.PENDING}),
    DeliveryStatus.FAILED: frozenset({DeliveryStatus.PENDING}),
}


class IllegalTransition(Exception):
    """A transition that ``TRANSITIONS`` forbids: a bug, never an error of the user."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """A URL that receives a user's events; ``event_types`` of None means all types."""

    webhook_id: UUID
    user_id: UUID
    url: str
    event_types: tuple[EventType, ...] | None
    status: WebhookStatus
    secret_ciphertext: bytes
    created_at: datetime
    previous_secret_ciphertext: bytes | None = None
    previous_secret_until: datetime | None = None
    disabled_at: datetime | None = None
    notice: str | None = None


@dataclass(frozen=True, slots=True)
class WithSecret:
    """A webhook with its new secret, which is shown once."""

    webhook: Webhook
    secret: str


@dataclass(frozen=True, slots=True)
class Message:
    """One event for one user. ``payload`` is the exact JSON text that is signed.

    ``position`` orders the events of one object. ``object_created_at`` is set if the user also gets the event of the
    object's creation, which has position 0 and goes first.
    """

    message_id: UUID
    user_id: UUID
    event_type: EventType
    object_id: UUID
    position: int
    payload: str
    occurred_at: datetime
    object_created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one attempt: the receiver's status, or the reason why there is none."""

    status: int | None
    error: str | None = None

    @property
    def is_success(self) -> bool:
        return self.error is None and self.status is not None and 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        """Whether the receiver wants no more events (``410 Gone``)."""
        return self.status == 410


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message on its way to one webhook. ``attempts`` counts those of all replays."""

    delivery_id: UUID
    webhook_id: UUID
    message_id: UUID
    event_type: EventType
    status: DeliveryStatus
    attempts: int
    created_at: datetime
    is_replay: bool = False
    first_attempt_at: datetime | None = None
    last_attempt_at: datetime | None = None
    next_attempt_at: datetime | None = None
    delivered_at: datetime | None = None
    response_status: int | None = None
    error: str | None = None

    def after(self, outcome: Outcome, now: datetime, *, round_attempts: int, is_last: bool) -> Self:
        """Return the delivery after an attempt at ``now``.

        ``round_attempts`` counts the attempts since the delivery was created or replayed. ``is_last`` ends them.
        """
        seen = {"last_attempt_at": now, "response_status": outcome.status, "error": outcome.error}
        if outcome.is_success:
            return self._become(DeliveryStatus.DELIVERED, delivered_at=now, next_attempt_at=None, **seen)
        started_at = self.first_attempt_at or now
        if is_last or outcome.is_gone or now - started_at >= GIVE_UP_AFTER:
            return self._become(DeliveryStatus.FAILED, next_attempt_at=None, **seen)
        next_attempt_at = min(now + retry_delay(round_attempts), started_at + GIVE_UP_AFTER)
        return self._become(DeliveryStatus.PENDING, next_attempt_at=next_attempt_at, **seen)

    def replayed(self, now: datetime) -> Self:
        """Return the delivery as due at once, with a new series of attempts."""
        return self._become(DeliveryStatus.PENDING, next_attempt_at=now, first_attempt_at=None, is_replay=True)

    def _become(self, status: DeliveryStatus, **changes: object) -> Self:
        if status not in TRANSITIONS[self.status]:
            raise IllegalTransition(f"delivery {self.delivery_id} cannot go from {self.status} to {status}")
        return replace(self, status=status, **changes)  # type: ignore[arg-type]


def public_id(message_id: UUID) -> str:
    """Return the ``webhook-id`` of a message: the same for every attempt, so that receivers recognize a repeat."""
    return f"msg_{message_id.hex}"


def retry_delay(attempts: int) -> timedelta:
    """Return the delay after this number of failed attempts."""
    return timedelta(seconds=RETRY_DELAYS_SECONDS[min(attempts, len(RETRY_DELAYS_SECONDS)) - 1])


def pause_after(failures: int) -> timedelta:
    """Return how long all deliveries of a webhook pause after this number of consecutive failures.

    A receiver that is down must not take the places of those that work.
    """
    if failures < PAUSE_AFTER_FAILURES:
        return timedelta(0)
    return timedelta(seconds=min(5 * 2 ** min(failures - PAUSE_AFTER_FAILURES, 20), MAX_PAUSE_SECONDS))
