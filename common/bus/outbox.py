"""The outbox: events are written in the transaction of the business change and stay open until acknowledged.

The row is the event. The broker carries only copies of it and may lose all of them.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from common.contracts.envelope import Envelope
from common.contracts.events import FOLLOWERS, SUBSCRIBERS, Event, pack
from common.core import trace

#: The LISTEN/NOTIFY channel that wakes the relay.
CHANNEL: Final = "outbox"

#: A part of a larger statement that writes events, so that a change and its event cost one round trip:
#: ``WITH <WRITTEN> UPDATE ...``, executed with :func:`bindings`. It does not wake the relay, which polls every second.
#: Rows of followers have ``user_ids``: one is written only if its subscriber follows one of these users.
WRITTEN: Final = """
    written AS (
        INSERT INTO outbox (event_id, subscriber, type, payload, occurred_at, request_id, traceparent, available_at)
        SELECT e.event_id, e.subscriber, e.type, e.payload, e.occurred_at, e.request_id, e.traceparent,
               now() + make_interval(secs => CASE WHEN e.user_ids IS NULL THEN :delay ELSE 0 END)
          FROM jsonb_to_recordset(CAST(:events AS jsonb))
               AS e (event_id uuid, subscriber text, type text, payload jsonb, occurred_at timestamptz,
                     request_id text, traceparent text, user_ids uuid[])
         WHERE e.user_ids IS NULL
            OR EXISTS (SELECT 1 FROM followed_users f
                        WHERE f.user_id = ANY(e.user_ids) AND f.subscriber = e.subscriber)
        ON CONFLICT DO NOTHING
        RETURNING 1
    )
"""

_INSERT = text(
    f"WITH {WRITTEN} SELECT CASE WHEN :delay = 0 THEN pg_notify(:channel, '') END FROM written LIMIT 1"  # noqa: S608
)

_CLAIM_DUE = text("""
    UPDATE outbox o
       SET sends = o.sends + 1,
           available_at = now() + make_interval(secs => LEAST(:max_delay, :delay * power(2, LEAST(o.sends, 20))))
      FROM (SELECT event_id, subscriber
              FROM outbox
             WHERE closed_at IS NULL AND available_at <= now() AND subscriber <> ALL(CAST(:excluded AS text[]))
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

_CLOSE = text("""
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

_FOLLOW = text("""
    INSERT INTO followed_users (user_id, subscriber) VALUES (:user_id, :subscriber) ON CONFLICT DO NOTHING
""")

_BACKLOG = text("""
    SELECT count(*) AS open, COALESCE(EXTRACT(EPOCH FROM now() - min(created_at)), 0) AS oldest_seconds
      FROM outbox WHERE closed_at IS NULL
""")


@dataclass(frozen=True, slots=True)
class Due:
    """An open row that is due, with its subscriber."""

    subscriber: str
    envelope: Envelope


@dataclass(frozen=True, slots=True)
class Backlog:
    """The number of unacknowledged events and the age of the oldest."""

    open: int
    oldest_seconds: float


def add_all(tx: Connection, events: Iterable[Event], *, delay_seconds: float = 0) -> None:
    """Write events in the transaction of the change that they report.

    The relay sends them after ``delay_seconds``. A delay is for events whose effect the caller is about to request by
    a synchronous command; the event then is the fallback. Followers get theirs without a delay.
    """
    parameters = bindings(events, delay_seconds=delay_seconds)
    if parameters["events"] != "[]":
        tx.execute(_INSERT, {**parameters, "channel": CHANNEL})


def bindings(events: Iterable[Event], *, delay_seconds: float) -> dict[str, object]:
    """Return the parameters of :data:`WRITTEN`, with the trace of the current request."""
    current = trace.current()
    return bindings_traced([(event, current) for event in events], delay_seconds=delay_seconds)


def bindings_traced(events: Iterable[tuple[Event, Mapping[str, str]]], *, delay_seconds: float) -> dict[str, object]:
    """Return the parameters of :data:`WRITTEN` for events of several requests, each with its trace."""
    rows = [
        {
            "event_id": str(envelope.event_id),
            "subscriber": subscriber,
            "type": envelope.type,
            "payload": envelope.payload,
            "occurred_at": envelope.occurred_at.isoformat(),
            "request_id": context.get("request_id"),
            "traceparent": context.get("traceparent"),
            "user_ids": [str(user_id) for user_id in event.user_ids] if subscriber in FOLLOWERS else None,
        }
        for event, context in events
        for envelope in (pack(event),)
        for subscriber in SUBSCRIBERS[envelope.type]
    ]
    return {
        "events": json.dumps(rows),
        "delay": delay_seconds,
    }


def follow(tx: Connection, subscriber: str, user_id: UUID) -> None:
    """Write the future events of this user for the subscriber, one of ``FOLLOWERS``. Safe to repeat."""
    tx.execute(_FOLLOW, {"subscriber": subscriber, "user_id": user_id})


def claim_due(
    tx: Connection, *, limit: int, resend_seconds: float, resend_max_seconds: float, excluded: Collection[str] = ()
) -> list[Due]:
    """Claim a lease on up to ``limit`` due events, oldest first, for sending; none for an ``excluded`` subscriber.

    Each lease ends after a delay that doubles from ``resend_seconds`` to ``resend_max_seconds``. If the process exits
    after this commit and before it sends, the events become due again when their leases end.
    """
    bounds = {"limit": limit, "delay": resend_seconds, "max_delay": resend_max_seconds, "excluded": list(excluded)}
    rows = tx.execute(_CLAIM_DUE, bounds)
    return [
        Due(
            row.subscriber,
            Envelope(row.event_id, row.type, row.occurred_at, row.payload, row.request_id, row.traceparent),
        )
        for row in rows
    ]


def release_unsent(tx: Connection, subscriber: str, event_ids: Sequence[UUID]) -> None:
    """End the leases of events that the broker did not accept: they are due at once."""
    tx.execute(_RELEASE_UNSENT, {"subscriber": subscriber, "event_ids": list(event_ids)})


def close(tx: Connection, subscriber: str, event_ids: Sequence[UUID]) -> int:
    """Close events that the subscriber has applied; return how many were still open."""
    return tx.execute(_CLOSE, {"subscriber": subscriber, "event_ids": list(event_ids)}).rowcount


def purge_closed(tx: Connection, *, older_than_hours: int, limit: int) -> int:
    """Delete up to ``limit`` rows closed more than ``older_than_hours`` ago; return their number."""
    return tx.execute(_PURGE, {"hours": older_than_hours, "limit": limit}).rowcount


def backlog(tx: Connection) -> Backlog:
    """Return the backlog of open events."""
    row = tx.execute(_BACKLOG).one()
    return Backlog(row.open, float(row.oldest_seconds))
