"""The SQL statements of the operators' commands that the services do not contain."""

import json
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, RowMapping, text

from common.bus import outbox
from common.contracts.envelope import Envelope

#: An event that is open for longer is late: the relay has sent it several times.
LATE_SECONDS: Final = 60
#: Time for which an undecided check or top-up is normal.
UNDECIDED_SECONDS: Final = 60

_OUTBOX = """
    SELECT event_id, subscriber, type, payload, occurred_at, created_at, available_at, sends, closed_at,
           now() - created_at > make_interval(secs => :late) AS is_late
      FROM outbox
"""
_OPEN = text(f"{_OUTBOX} WHERE closed_at IS NULL ORDER BY created_at LIMIT :limit")
_IN_OUTBOX = text(f"{_OUTBOX} WHERE event_id = :event_id")

# Includes replayed events that were not received since: their replay may have been interrupted.
_PARKED = text("""
    SELECT d.event_id, d.source, d.envelope, d.attempts, d.error, d.parked_at, i.type,
           d.resolved_at IS NOT NULL AS is_released
      FROM dead_letters d JOIN inbox i USING (event_id)
     WHERE d.resolved_at IS NULL
        OR (d.resolution = 'replayed' AND i.processed_at IS NULL AND i.parked_at IS NULL)
     ORDER BY d.parked_at LIMIT :limit
""")

_UNFINISHED = text("""
    SELECT event_id, attempts, last_error FROM inbox
     WHERE processed_at IS NULL AND parked_at IS NULL ORDER BY received_at LIMIT :limit
""")

_IN_INBOX = text("""
    SELECT i.event_id, i.type, i.source, i.attempts, i.received_at, i.processed_at, i.parked_at, i.last_error,
           d.envelope, d.error, d.parked_at AS dead_at, d.resolved_at, d.resolution, d.reason
      FROM inbox i LEFT JOIN dead_letters d USING (event_id)
     WHERE i.event_id = :event_id
""")

_ACTIONS = text("""
    SELECT action_no, acted_at, operator, action, subject, reason, details
      FROM operator_actions
     WHERE CAST(:subject AS text) IS NULL OR subject = :subject
     ORDER BY action_no DESC LIMIT :limit
""")

_MOVES = text("SELECT kind, outcome, amount_minor, currency, created_at FROM transfers WHERE subject_id = :subject_id")

# Inserts the row if it was purged, reopens it if it was closed, and makes it due.
_REOPEN = text("""
    WITH opened AS (
        INSERT INTO outbox AS o (event_id, subscriber, type, payload, occurred_at, request_id, traceparent)
        VALUES (:event_id, :subscriber, :type, CAST(:payload AS jsonb), :occurred_at, :request_id, :traceparent)
        ON CONFLICT (event_id, subscriber) DO UPDATE SET closed_at = NULL, available_at = now(), sends = 0
        RETURNING 1
    )
    SELECT pg_notify(:channel, '') FROM opened
""")

_MAKE_DUE = text("""
    WITH due AS (
        UPDATE outbox SET available_at = now(), closed_at = NULL WHERE event_id = :event_id RETURNING subscriber
    )
    SELECT subscriber, pg_notify(:channel, '') FROM due
""")

#: Service -> query of operations without a final status: (kind, subject, since, why).
UNDECIDED: Final[Mapping[str, str]] = {
    "checks": """
        SELECT 'check' AS kind, check_id::text AS subject, amount_minor, currency, created_at AS since,
               format('pending: %s attempts to hold the money', tries) AS why
          FROM checks WHERE status = 'pending' AND created_at < now() - make_interval(secs => :seconds)
    """,
    "payments": """
        SELECT 'top-up' AS kind, topup_id::text AS subject, amount_minor, currency, created_at AS since,
               format('%s: expired, but after %s polls the bank reports no final status', status, polls)
               AS why
          FROM topups
         WHERE next_poll_at IS NOT NULL AND expires_at < now() - make_interval(secs => :seconds)
        UNION ALL
        SELECT 'refund', r.refund_id::text, r.amount_minor, t.currency, r.created_at,
               format('%s after %s attempts: %s', r.status, r.tries, COALESCE(r.note, 'no response yet'))
          FROM refunds r JOIN topups t USING (topup_id)
         WHERE r.finished_at IS NULL AND r.created_at < now() - make_interval(secs => :seconds)
        UNION ALL
        SELECT 'notification', notification_id::text, amount_minor, currency, first_received_at,
               format('%s on %s reports %s for order %s: %s', bank, first_received_at::date, bank_status, bank_order_id,
                      verdict)
          FROM notifications
         WHERE verdict NOT IN ('applied', 'noted', 'bad_signature')
    """,
}


def open_events(tx: Connection, limit: int) -> list[RowMapping]:
    """Return unacknowledged events, oldest first."""
    return list(tx.execute(_OPEN, {"limit": limit, "late": LATE_SECONDS}).mappings())


def in_outbox(tx: Connection, event_id: UUID) -> list[RowMapping]:
    """Return the outbox rows of one event, one per subscriber."""
    return list(tx.execute(_IN_OUTBOX, {"event_id": event_id, "late": LATE_SECONDS}).mappings())


def parked_events(tx: Connection, limit: int) -> list[RowMapping]:
    """Return parked events without a decision, and replayed events that were not received since."""
    return list(tx.execute(_PARKED, {"limit": limit}).mappings())


def unfinished_events(tx: Connection, limit: int) -> dict[UUID, RowMapping]:
    """Return received events that have not taken effect, with their last error, by event id."""
    return {row["event_id"]: row for row in tx.execute(_UNFINISHED, {"limit": limit}).mappings()}


def in_inbox(tx: Connection, event_id: UUID) -> RowMapping | None:
    """Return the inbox row of an event with its dead letter, or None."""
    return tx.execute(_IN_INBOX, {"event_id": event_id}).mappings().one_or_none()


def actions(tx: Connection, *, subject: str | None, limit: int) -> list[RowMapping]:
    """Return operator actions, newest first."""
    return list(tx.execute(_ACTIONS, {"subject": subject, "limit": limit}).mappings())


def moves_of(tx: Connection, subject_id: str) -> list[RowMapping]:
    """Return the transfers of a check or a top-up."""
    return list(tx.execute(_MOVES, {"subject_id": subject_id}).mappings())


def undecided(tx: Connection, service: str, limit: int) -> list[RowMapping]:
    """Return operations of a service without a final status, oldest first."""
    query = f"SELECT * FROM ({UNDECIDED[service]}) waiting ORDER BY since LIMIT :limit"  # noqa: S608
    return list(tx.execute(text(query), {"seconds": UNDECIDED_SECONDS, "limit": limit}).mappings())


def reopen(tx: Connection, subscriber: str, wire: Mapping[str, Any]) -> None:
    """Make an event due again in the outbox of its publisher, from its envelope."""
    envelope = Envelope.from_wire(dict(wire))
    tx.execute(
        _REOPEN,
        {
            "event_id": envelope.event_id,
            "subscriber": subscriber,
            "type": envelope.type,
            "payload": json.dumps(envelope.payload),
            "occurred_at": envelope.occurred_at,
            "request_id": envelope.request_id,
            "traceparent": envelope.traceparent,
            "channel": outbox.CHANNEL,
        },
    )


def make_due(tx: Connection, event_id: UUID) -> list[str]:
    """Make an event due, reopening it if it was closed; return its subscribers."""
    return [row.subscriber for row in tx.execute(_MAKE_DUE, {"event_id": event_id, "channel": outbox.CHANNEL})]
