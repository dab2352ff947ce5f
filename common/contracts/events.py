"""All events between services. They are immutable and complete: no subscriber has to call the publisher back.

A change that an old receiver cannot read is a new class with the next version in its type. A new field is optional, and
absent from the payload without a value.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final
from uuid import UUID

from pydantic import TypeAdapter

from common.contracts.envelope import Envelope
from common.core.ids import derived_id


@dataclass(frozen=True, slots=True)
class CheckCreated:
    """The check is active: its money is held. Only subscribers that follow the creator get this event."""

    TYPE: ClassVar[str] = "check.created.v1"
    check_id: UUID
    fastcheck: str
    creator_id: UUID
    amount_minor: int
    currency: str
    expires_at: datetime
    occurred_at: datetime
    note: str | None = None

    @property
    def subject_id(self) -> UUID:
        return self.check_id

    @property
    def user_ids(self) -> tuple[UUID, ...]:
        return (self.creator_id,)


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
    creator_id: UUID | None = None
    created_at: datetime | None = None
    note: str | None = None

    @property
    def subject_id(self) -> UUID:
        return self.check_id

    @property
    def user_ids(self) -> tuple[UUID, ...]:
        return (self.acceptor_id,) if self.creator_id is None else (self.acceptor_id, self.creator_id)


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
    created_at: datetime | None = None
    note: str | None = None

    @property
    def subject_id(self) -> UUID:
        return self.check_id

    @property
    def user_ids(self) -> tuple[UUID, ...]:
        return (self.creator_id,)


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
    created_at: datetime | None = None
    note: str | None = None

    @property
    def subject_id(self) -> UUID:
        return self.check_id

    @property
    def user_ids(self) -> tuple[UUID, ...]:
        return (self.creator_id,)


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

    @property
    def user_ids(self) -> tuple[UUID, ...]:
        return (self.user_id,)


Event = CheckCreated | CheckAccepted | CheckExpired | CheckCancelled | PaymentConfirmed

EVENTS: Final[dict[str, type[Event]]] = {
    event.TYPE: event for event in (CheckCreated, CheckAccepted, CheckExpired, CheckCancelled, PaymentConfirmed)
}

#: Subscribers by event type. There is one outbox row and one queue per subscriber.
SUBSCRIBERS: Final[dict[str, tuple[str, ...]]] = {
    CheckCreated.TYPE: ("webhooks",),
    CheckAccepted.TYPE: ("balance", "webhooks"),
    CheckExpired.TYPE: ("balance", "webhooks"),
    CheckCancelled.TYPE: ("balance", "webhooks"),
    PaymentConfirmed.TYPE: ("balance", "webhooks"),
}

#: Subscribers that get an event only if they follow one of its users; the others get every event.
FOLLOWERS: Final = frozenset({"webhooks"})

#: The only service that may publish an event of the type. Receivers reject messages of others.
PUBLISHERS: Final[dict[str, str]] = {
    CheckCreated.TYPE: "checks",
    CheckAccepted.TYPE: "checks",
    CheckExpired.TYPE: "checks",
    CheckCancelled.TYPE: "checks",
    PaymentConfirmed.TYPE: "payments",
}

_ADAPTERS: Final[dict[str, TypeAdapter[Event]]] = {name: TypeAdapter(event) for name, event in EVENTS.items()}


def event_id(event: Event) -> UUID:
    """Return the event's id, which is derived from its type and subject and never changes."""
    return derived_id(event.TYPE, event.subject_id)


def pack(event: Event, *, request_id: str | None = None, traceparent: str | None = None) -> Envelope:
    """Return the event in an envelope."""
    payload: dict[str, Any] = _ADAPTERS[event.TYPE].dump_python(event, mode="json", exclude_none=True)
    return Envelope(event_id(event), event.TYPE, event.occurred_at, payload, request_id, traceparent)


def unpack(envelope: Envelope) -> Event:
    """Return the event of an envelope; raises KeyError for an unknown type, ValueError for an invalid payload."""
    return _ADAPTERS[envelope.type].validate_python(envelope.payload)
