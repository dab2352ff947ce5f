"""Operations on parked events: list them, replay one, or discard one with a reason."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

_OPEN = text("""
    SELECT event_id, source, envelope, attempts, error, parked_at
      FROM dead_letters WHERE resolved_at IS NULL ORDER BY parked_at LIMIT :limit
""")

_RESOLVE = text("""
    UPDATE dead_letters SET resolved_at = now(), resolution = :resolution, reason = :reason
     WHERE event_id = :event_id AND resolved_at IS NULL
    RETURNING source, envelope
""")

_REOPEN = text("UPDATE inbox SET parked_at = NULL, attempts = 0 WHERE event_id = :event_id AND processed_at IS NULL")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event whose attempts are used up, as received, with its last error."""

    event_id: UUID
    source: str
    envelope: dict[str, Any]
    attempts: int
    error: str
    parked_at: datetime


def list_open(tx: Connection, *, limit: int) -> list[DeadLetter]:
    """Return up to ``limit`` unresolved parked events, oldest first."""
    return [DeadLetter(**row) for row in tx.execute(_OPEN, {"limit": limit}).mappings()]


def release(tx: Connection, event_id: UUID, *, reason: str) -> tuple[str, dict[str, Any]] | None:
    """Reset a parked event for another attempt; return its source and envelope, None if it is not parked."""
    row = tx.execute(_RESOLVE, {"event_id": event_id, "resolution": "replayed", "reason": reason}).one_or_none()
    if row is None:
        return None
    tx.execute(_REOPEN, {"event_id": event_id})
    return row.source, row.envelope


def discard(tx: Connection, event_id: UUID, *, reason: str) -> bool:
    """Discard a parked event, which then never takes effect; return False if it is not parked."""
    return (
        tx.execute(_RESOLVE, {"event_id": event_id, "resolution": "discarded", "reason": reason}).one_or_none()
        is not None
    )
