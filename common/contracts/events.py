"""All events between services. They are immutable and complete: no subscriber has to call the publisher back.

A change that an old receiver cannot read is a new class with the next version in its type.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final
from uuid import UUID

from pydantic import TypeAdapter

from common.contracts.envelope import Envelope
from common.core.ids import derived_id


@dataclass(frozen=True, slots=True)
class CheckAccepted:
    """The check was accepted: the held money belongs to ``acceptor_id``."""

    TYPE: ClassVar[str] = "check.accepted.v1"
    check_id: UUID
    fastcheck: str
    acceptor_id: UUID
    amount_minor: int
    currency: str
    occurred_at: datetime

    @property
    def subject_id(self) -> UUID:
        return self.check_id


@dataclass(frozen=True, slots=True)
class CheckExpired:
    """The check expired: the held money returns to ``creator_id``."""

    TYPE: ClassVar[str] = "check.expired.v1"
    check_id: UUID
    fastcheck: str
    creator_id: UUID
    amount_minor: int
    currency: str
    occurred_at: datetime

    @property
    def subject_id(self) -> UUID:
        return self.check_id


@dataclass(frozen=True, slots=True)
class CheckCancelled:
    """The creator cancelled the check: the held money returns to ``creator_id``."""

    TYPE: ClassVar[str] = "check.cancelled.v1"
    check_id: UUID
    fastcheck: str
    creator_id: UUID
    amount_minor: int
    currency: str
    occurred_at: datetime

    @property
    def subject_id(self) -> UUID:
        return self.check_id


@dataclass(frozen=True, slots=True)
class PaymentConfirmed:
    """The bank charged the user's card: the top-up is to be credited to the user."""

    TYPE: ClassVar[str] = "payment.confirmed.v1"
    topup_id: UUID
    user_id: UUID
    bank: str
    amount_minor: int
    currency: str
    occurred_at: datetime

    @property
    def subject_id(self) -> UUID:
        return self.topup_id


Event = CheckAccepted | CheckExpired | CheckCancelled | PaymentConfirmed

EVENTS: Final[dict[str, type[Event]]] = {
    event.TYPE: event for event in (CheckAccepted, CheckExpired, CheckCancelled, PaymentConfirmed)
}

#: Subscribers by event type. There is one outbox row and one queue per subscriber.
SUBSCRIBERS: Final[dict[str, tuple[str, ...]]] = {
    CheckAccepted.TYPE: ("balance",),
    CheckExpired.TYPE: ("balance",),
    CheckCancelled.TYPE: ("balance",),
    PaymentConfirmed.TYPE: ("balance",),
}

_ADAPTERS: Final[dict[str, TypeAdapter[Event]]] = {name: TypeAdapter(event) for name, event in EVENTS.items()}


def event_id(event: Event) -> UUID:
    """Return the event's id, which is derived from its type and subject and never changes."""
    return derived_id(event.TYPE, event.subject_id)


def pack(event: Event, *, request_id: str | None = None, traceparent: str | None = None) -> Envelope:
    """Return the event in an envelope."""
    payload: dict[str, Any] = _ADAPTERS[event.TYPE].dump_python(event, mode="json")
    return Envelope(event_id(event), event.TYPE, event.occurred_at, payload, request_id, traceparent)


def unpack(envelope: Envelope) -> Event:
    """Return the event of an envelope; raises KeyError for an unknown type, ValueError for an invalid payload."""
    return _ADAPTERS[envelope.type].validate_python(envelope.payload)
