"""The form in which an event travels: what the bus needs to know, and a payload that it does not look into."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from common.core.clock import parse_utc


@dataclass(frozen=True, slots=True)
class Envelope:
    """One event on its way to one subscriber. ``event_id`` is determined by the cause of the event."""

    event_id: UUID
    type: str
    occurred_at: datetime
    payload: dict[str, Any]
    request_id: str | None = None
    traceparent: str | None = None

    def to_wire(self) -> dict[str, Any]:
        """Plain JSON types; the golden files in ``tests/contract`` hold this form."""
        return {
            "event_id": str(self.event_id),
            "type": self.type,
            "occurred_at": self.occurred_at.isoformat(),
            "request_id": self.request_id,
            "traceparent": self.traceparent,
            "payload": self.payload,
        }

    @classmethod
    def from_wire(cls, wire: dict[str, Any]) -> Self:
        """The inverse; raises KeyError, ValueError or TypeError on anything that :meth:`to_wire` did not make."""
        return cls(
            event_id=UUID(wire["event_id"]),
            type=str(wire["type"]),
            occurred_at=parse_utc(wire["occurred_at"]),
            payload=dict(wire["payload"]),
            request_id=wire.get("request_id"),
            traceparent=wire.get("traceparent"),
        )
