"""Every event that crosses a border: past tense, frozen, complete, so that no receiver has to call back.

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
    """Somebody entered number and code: the held money is now ``acceptor_id``'s."""

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
    """Nobody accepted the check in time: the held money goes back to ``creator_id``."""

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
    """The creator took the check back: the held money is his again."""

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
    """The bank says that the user's card was charged: the user's balance is to grow."""

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

#: Who is told of what. One outbox row, and one queue, per subscriber.
SUBSCRIBERS: Final[dict[str, tuple[str, ...]]] = {
    CheckAccepted.TYPE: ("balance",),
    CheckExpired.TYPE: ("balance",),
    CheckCancelled.TYPE: ("balance",),
    PaymentConfirmed.TYPE: ("balance",),
}

_ADAPTERS: Final[dict[str, TypeAdapter[Event]]] = {name: TypeAdapter(event) for name, event in EVENTS.items()}


def event_id(event: Event) -> UUID:
    """The id of this event: the same fact about the same thing has the same id for ever."""
    return derived_id(event.TYPE, event.subject_id)


def pack(event: Event, *, request_id: str | None = None, traceparent: str | None = None) -> Envelope:
    """Put an event into its envelope."""
    payload: dict[str, Any] = _ADAPTERS[event.TYPE].dump_python(event, mode="json")
    return Envelope(event_id(event), event.TYPE, event.occurred_at, payload, request_id, traceparent)


def unpack(envelope: Envelope) -> Event:
    """Take the event out again; raises KeyError for an unknown type, ValueError for a payload that does not fit."""
    return _ADAPTERS[envelope.type].validate_python(envelope.payload)
