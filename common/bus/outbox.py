"""Events leave through the database: written with the business change, open until acknowledged.

The row is the event; the broker only carries copies of it, and may lose every one of them.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import text

from common.contracts.envelope import Envelope
from common.contracts.events import SUBSCRIBERS, Event, pack
from common.core import trace
from common.db.connection import Connection
from common.db.driver import prepared

#: The LISTEN/NOTIFY channel that wakes the relay.
CHANNEL: Final = "outbox"

#: The writing of events as a part of a larger statement, for a change that shall cost one round trip with its
#: event: ``WITH <WRITTEN> UPDATE ...``, executed with :func:`bindings`. It wakes no relay, so give it a delay.
WRITTEN: Final = """
    written AS (
        INSERT INTO outbox (event_id, subscriber, type, payload, occurred_at, request_id, traceparent, available_at)
        SELECT e.event_id, e.subscriber, e.type, e.payload, e.occurred_at, :request_id, :traceparent,
               now() + make_interval(secs => :delay)
          FROM jsonb_to_recordset(CAST(:events AS jsonb))
               AS e (event_id uuid, subscriber text, type text, payload jsonb, occurred_at timestamptz)
        ON CONFLICT DO NOTHING
        RETURNING 1
    )
"""

_INSERT = prepared(
    f"WITH {WRITTEN} SELECT CASE WHEN :delay = 0 THEN pg_notify(:channel, '') END FROM written LIMIT 1"  # noqa: S608
)

_CLAIM_DUE = prepared("""
    UPDATE outbox o
       SET sends = o.sends + 1,
           available_at = now() + make_interval(secs => LEAST(:max_delay, :delay * power(2, LEAST(o.sends, 20))))
      FROM (SELECT event_id, subscriber
              FROM outbox
             WHERE closed_at IS NULL AND available_at <= now()
             ORDER BY available_at
             LIMIT :limit
               FOR UPDATE SKIP LOCKED) due
     WHERE o.event_id = due.event_id AND o.subscriber = due.subscriber
    RETURNING o.event_id, o.subscriber, o.type, o.payload, o.occurred_at, o.request_id, o.traceparent
""")

_RELEASE_UNSENT = text("""
    UPDATE outbox
       SET sends = GREATEST(sends - 1, 0), available_at = now()
     WHERE subscriber = :subscriber AND event_id = ANY(CAST(:event_ids AS uuid[])) AND closed_at IS NULL
""")

_CLOSE = prepared("""
    UPDATE outbox
       SET closed_at = now()
     WHERE closed_at IS NULL AND subscriber = :subscriber
       AND event_id IN (SELECT event_id FROM outbox
                         WHERE subscriber = :subscriber AND event_id = ANY(CAST(:event_ids AS uuid[]))
                         ORDER BY event_id FOR UPDATE)
""")

_PURGE = text("""
    DELETE FROM outbox
     WHERE (event_id, subscriber) IN (SELECT event_id, subscriber FROM outbox
                                       WHERE closed_at < now() - make_interval(hours => :hours)
                                       LIMIT :limit FOR UPDATE SKIP LOCKED)
""")

_BACKLOG = text("""
    SELECT count(*) AS open, COALESCE(EXTRACT(EPOCH FROM now() - min(created_at)), 0) AS oldest_seconds
      FROM outbox WHERE closed_at IS NULL
""")


@dataclass(frozen=True, slots=True)
class Due:
    """An open row whose time has come, and whom it is for."""

    subscriber: str
    envelope: Envelope


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many events wait for their acknowledgement, and the age of the oldest."""

    open: int
    oldest_seconds: float


def add_all(tx: Connection, events: Iterable[Event], *, delay_seconds: float = 0) -> None:
    """Write events into the outbox of the transaction that makes them true.

    With ``delay_seconds`` the relay leaves them alone for so long: the caller is about to do the same
    by a direct command, and the event is only the safety net.
    """
    parameters = bindings(events, delay_seconds=delay_seconds)
    if parameters["events"] != "[]":
        tx.execute(_INSERT, {**parameters, "channel": CHANNEL})


def bindings(events: Iterable[Event], *, delay_seconds: float) -> dict[str, object]:
    """The parameters of :data:`WRITTEN`."""
    context = trace.current()
    rows = [
        {
            "event_id": str(envelope.event_id),
            "subscriber": subscriber,
            "type": envelope.type,
            "payload": envelope.payload,
            "occurred_at": envelope.occurred_at.isoformat(),
        }
        for envelope in map(pack, events)
        for subscriber in SUBSCRIBERS[envelope.type]
    ]
    return {
        "events": json.dumps(rows),
        "request_id": context.get("request_id"),
        "traceparent": context.get("traceparent"),
        "delay": delay_seconds,
    }


def claim_due(tx: Connection, *, limit: int, resend_seconds: float, resend_max_seconds: float) -> list[Due]:
    """Take open events by status, and put each one's next turn off before it is sent.

    Whoever dies between this commit and the sending has lost time, not the event.
    """
    rows = tx.execute(_CLAIM_DUE, {"limit": limit, "delay": resend_seconds, "max_delay": resend_max_seconds})
    return [
        Due(
            row.subscriber,
            Envelope(row.event_id, row.type, row.occurred_at, row.payload, row.request_id, row.traceparent),
        )
        for row in rows
    ]


def release_unsent(tx: Connection, subscriber: str, event_ids: Sequence[UUID]) -> None:
    """The broker did not take these: they are due again at once."""
    tx.execute(_RELEASE_UNSENT, {"subscriber": subscriber, "event_ids": list(event_ids)})


def close(tx: Connection, subscriber: str, event_ids: Sequence[UUID]) -> int:
    """The subscriber has made these events true on its side; returns how many were still open."""
    return tx.execute(_CLOSE, {"subscriber": subscriber, "event_ids": list(event_ids)}).rowcount


def purge_closed(tx: Connection, *, older_than_hours: int, limit: int) -> int:
    """Delete a batch of rows that were closed long ago; returns how many."""
    return tx.execute(_PURGE, {"hours": older_than_hours, "limit": limit}).rowcount


def backlog(tx: Connection) -> Backlog:
    """For metrics and for the operator."""
    row = tx.execute(_BACKLOG).one()
    return Backlog(row.open, float(row.oldest_seconds))
