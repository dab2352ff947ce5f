"""The envelope of an event: metadata for the bus, and a payload that the bus does not interpret."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from common.core.clock import parse_utc


@dataclass(frozen=True, slots=True)
class Envelope:
    """One event addressed to one subscriber. ``event_id`` is derived from the cause of the event."""

    event_id: UUID
    type: str
    occurred_at: datetime
    payload: dict[str, Any]
    request_id: str | None = None
    traceparent: str | None = None

    def to_wire(self) -> dict[str, Any]:
        """Return the envelope as JSON types; the golden files in ``tests/contract`` fix this form."""
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
        """Parse the form of :meth:`to_wire`; raises KeyError, ValueError or TypeError for anything else."""
        return cls(
            event_id=UUID(wire["event_id"]),
            type=str(wire["type"]),
            occurred_at=parse_utc(wire["occurred_at"]),
            payload=dict(wire["payload"]),
            request_id=wire.get("request_id"),
            traceparent=wire.get("traceparent"),
        )
