"""The SQL statements of webhooks, messages and deliveries."""

# ruff: noqa: S608  (statements are put together from constants of this module, never from values)

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, text

from services.webhooks.models import Delivery, DeliveryStatus, EventType, Message, Webhook, WebhookStatus, pause_after

_WEBHOOK: Final = """
    webhook_id, user_id, url, event_types, status, secret_ciphertext, created_at, previous_secret_ciphertext,
    previous_secret_until, disabled_at, notice
"""
_DELIVERY: Final = """
    d.delivery_id, d.webhook_id, d.message_id, m.event_type, d.status, d.attempts, d.created_at, d.is_replay,
    d.first_attempt_at, d.last_attempt_at, d.next_attempt_at, d.delivered_at, d.response_status, d.error
"""

_LOCK_USER = text("SELECT pg_advisory_xact_lock(hashtextextended(:user_id, 15))")
_COUNT = text("SELECT count(*) FROM webhooks WHERE user_id = :user_id")
_INSERT = text("""
    INSERT INTO webhooks (webhook_id, user_id, url, event_types, status, secret_ciphertext, created_at)
    VALUES (:webhook_id, :user_id, :url, CAST(:event_types AS text[]), :status, :secret_ciphertext, :created_at)
""")
_LIST = text(f"SELECT {_WEBHOOK} FROM webhooks WHERE user_id = :user_id ORDER BY created_at, webhook_id")
_DELETE = text("DELETE FROM webhooks WHERE webhook_id = :webhook_id AND user_id = :user_id")
_FIND = text("SELECT 1 FROM webhooks WHERE webhook_id = :webhook_id AND user_id = :user_id")
_ROTATE = text(f"""
    UPDATE webhooks
       SET previous_secret_ciphertext = secret_ciphertext, previous_secret_until = :previous_until,
           secret_ciphertext = :secret_ciphertext
     WHERE webhook_id = :webhook_id AND user_id = :user_id
    RETURNING {_WEBHOOK}
""")

# The end of a check waits for the delivery of its creation, if that is on its way and this webhook gets it. The bus
# does not keep the order, so the event of the creation may be received later; then it ends the wait.
_ADD_MESSAGES = text("""
    WITH given AS (
        SELECT * FROM jsonb_to_recordset(CAST(:messages AS jsonb)) AS m
            (message_id uuid, user_id uuid, event_type text, object_id uuid, position smallint, payload text,
             occurred_at timestamptz, object_created_at timestamptz)
    ), wanted AS (
        SELECT g.*, w.webhook_id, w.created_at AS webhook_created_at,
               w.event_types IS NULL OR :created_type = ANY(w.event_types) AS gets_creations
          FROM given g
          JOIN webhooks w ON w.user_id = g.user_id AND w.status = 'enabled'
                         AND (w.event_types IS NULL OR g.event_type = ANY(w.event_types))
    ), written AS (
        INSERT INTO messages (message_id, user_id, event_type, object_id, payload, occurred_at)
        SELECT DISTINCT message_id, user_id, event_type, object_id, payload, occurred_at FROM wanted
        ON CONFLICT DO NOTHING
    ), released AS (
        UPDATE deliveries d
           SET next_attempt_at = :now
          FROM wanted
         WHERE wanted.position = 0 AND d.webhook_id = wanted.webhook_id AND d.object_id = wanted.object_id
           AND d.position > 0 AND d.status = 'pending' AND d.attempts = 0
    )
    INSERT INTO deliveries (webhook_id, message_id, object_id, position, created_at, next_attempt_at)
    SELECT webhook_id, message_id, object_id, position, :now,
           CASE WHEN position > 0 AND gets_creations AND object_created_at >= webhook_created_at
                     AND NOT EXISTS (SELECT 1 FROM deliveries first
                                      WHERE first.webhook_id = wanted.webhook_id
                                        AND first.object_id = wanted.object_id AND first.position = 0)
                THEN CAST(:now AS timestamptz) + make_interval(secs => :creation_wait_seconds)
                ELSE :now END
      FROM wanted
     ORDER BY webhook_id, message_id
    ON CONFLICT DO NOTHING
""")

# Of each webhook only a few deliveries at once, so that one with a backlog does not take the places of the others.
_CLAIM_DUE = text(f"""
    WITH waiting AS (
        SELECT DISTINCT webhook_id FROM deliveries WHERE status = 'pending' AND next_attempt_at <= :now
    ), due AS (
        SELECT d.delivery_id
          FROM waiting
          JOIN webhooks w USING (webhook_id)
         CROSS JOIN LATERAL (
                SELECT x.delivery_id, x.next_attempt_at
                  FROM deliveries x
                 WHERE x.webhook_id = w.webhook_id AND x.status = 'pending' AND x.next_attempt_at <= :now
                   AND (x.leased_until IS NULL OR x.leased_until <= :now)
                   AND (w.status = 'enabled' OR x.is_replay)
                   AND (w.paused_until IS NULL OR w.paused_until <= :now)
                   AND NOT EXISTS (SELECT 1 FROM deliveries earlier
                                    WHERE earlier.webhook_id = x.webhook_id AND earlier.object_id = x.object_id
                                      AND earlier.position < x.position AND earlier.status = 'pending')
                 ORDER BY x.next_attempt_at
                 LIMIT :per_webhook
                   FOR UPDATE SKIP LOCKED) d
         ORDER BY d.next_attempt_at
         LIMIT :limit
    )
    UPDATE deliveries d
       SET attempts = d.attempts + 1, round_attempts = d.round_attempts + 1, leased_until = :leased_until,
           first_attempt_at = COALESCE(d.first_attempt_at, :now)
      FROM due, messages m, webhooks w
     WHERE d.delivery_id = due.delivery_id AND m.message_id = d.message_id AND w.webhook_id = d.webhook_id
    RETURNING {_DELIVERY}, d.round_attempts, m.payload, w.url, w.status = 'enabled' AS is_enabled,
              w.secret_ciphertext,
              CASE WHEN w.previous_secret_until > :now THEN w.previous_secret_ciphertext END AS previous_ciphertext
""")

_SAVE_OUTCOME = text("""
    UPDATE deliveries
       SET status = :status, last_attempt_at = :last_attempt_at, next_attempt_at = :next_attempt_at,
           delivered_at = :delivered_at, response_status = :response_status, error = :error, leased_until = NULL
     WHERE delivery_id = :delivery_id AND attempts = :attempts AND status = 'pending'
""")
_RECORD_SUCCESS = text("""
    UPDATE webhooks
       SET status = 'enabled', disabled_at = NULL, notice = NULL, failures = 0, paused_until = NULL,
           last_delivered_at = :now
     WHERE webhook_id = :webhook_id
""")
_RECORD_FAILURE = text("""
    UPDATE webhooks SET failures = failures + 1 WHERE webhook_id = :webhook_id RETURNING failures
""")
_PAUSE = text("UPDATE webhooks SET paused_until = :until WHERE webhook_id = :webhook_id")
_DISABLE = text("""
    UPDATE webhooks SET status = 'disabled', disabled_at = :now, notice = :notice
     WHERE webhook_id = :webhook_id AND status = 'enabled'
       AND (CAST(:unless_delivered_since AS timestamptz) IS NULL
            OR COALESCE(last_delivered_at < :unless_delivered_since, true))
""")
_FAIL_PENDING = text("""
    UPDATE deliveries SET status = 'failed', next_attempt_at = NULL, error = :error
     WHERE webhook_id = :webhook_id AND status = 'pending'
""")

_LIST_DELIVERIES = text(f"""
    SELECT d.delivery_no, {_DELIVERY}
      FROM deliveries d JOIN messages m USING (message_id)
     WHERE d.webhook_id = :webhook_id AND d.delivery_no < :before
     ORDER BY d.delivery_no DESC
     LIMIT :limit
""")
_LOCK_DELIVERY = text(f"""
    SELECT {_DELIVERY}
      FROM deliveries d JOIN messages m USING (message_id)
     WHERE d.delivery_id = :delivery_id AND d.webhook_id = :webhook_id
       FOR UPDATE OF d
""")
_SAVE_REPLAY = text("""
    UPDATE deliveries
       SET status = :status, next_attempt_at = :next_attempt_at, first_attempt_at = NULL, round_attempts = 0,
           is_replay = true
     WHERE delivery_id = :delivery_id
""")
_RESUME = text("UPDATE webhooks SET paused_until = NULL WHERE webhook_id = :webhook_id")

_PURGE_DELIVERIES = text("""
    DELETE FROM deliveries
     WHERE delivery_id IN (SELECT delivery_id FROM deliveries
                            WHERE status <> 'pending' AND created_at < :before
                            ORDER BY created_at LIMIT :limit FOR UPDATE SKIP LOCKED)
""")
# A message is written with its deliveries, in one statement, so that none is without them before its retention ends.
_PURGE_MESSAGES = text("""
    DELETE FROM messages
     WHERE message_id IN (SELECT message_id FROM messages m
                           WHERE NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.message_id = m.message_id)
                           LIMIT :limit FOR UPDATE SKIP LOCKED)
""")


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this process may attempt, with what it needs. ``is_last``: a replay to a disabled webhook."""

    delivery: Delivery
    round_attempts: int
    payload: str
    url: str
    secret_ciphertexts: tuple[bytes, ...]
    is_last: bool


def lock_user(tx: Connection, user_id: UUID) -> None:
    """Serialize the changes of a user's webhooks until the end of the transaction."""
    tx.execute(_LOCK_USER, {"user_id": str(user_id)})


def count_webhooks(tx: Connection, user_id: UUID) -> int:
    """Return the number of a user's webhooks."""
    return int(tx.execute(_COUNT, {"user_id": user_id}).scalar_one())


def insert_webhook(tx: Connection, webhook: Webhook) -> None:
    """Insert a new webhook."""
    types = None if webhook.event_types is None else [event_type.value for event_type in webhook.event_types]
    tx.execute(
        _INSERT,
        {
            "webhook_id": webhook.webhook_id,
            "user_id": webhook.user_id,
            "url": webhook.url,
            "event_types": types,
            "status": webhook.status.value,
            "secret_ciphertext": webhook.secret_ciphertext,
            "created_at": webhook.created_at,
        },
    )


def webhooks_of_user(tx: Connection, user_id: UUID) -> list[Webhook]:
    """Return a user's webhooks, oldest first."""
    return [_webhook(row) for row in tx.execute(_LIST, {"user_id": user_id}).mappings()]


def delete_webhook(tx: Connection, webhook_id: UUID, user_id: UUID) -> bool:
    """Delete a user's webhook with its deliveries; return False if the user has none with this id."""
    return tx.execute(_DELETE, {"webhook_id": webhook_id, "user_id": user_id}).rowcount == 1


def is_webhook_of(tx: Connection, webhook_id: UUID, user_id: UUID) -> bool:
    """Return whether the user has a webhook with this id."""
    return tx.execute(_FIND, {"webhook_id": webhook_id, "user_id": user_id}).one_or_none() is not None


def rotate_secret(
    tx: Connection, webhook_id: UUID, user_id: UUID, *, secret_ciphertext: bytes, previous_until: datetime
) -> Webhook | None:
    """Replace the secret; the old one stays valid until ``previous_until``. Return the webhook, None if unknown."""
    parameters = {
        "webhook_id": webhook_id,
        "user_id": user_id,
        "secret_ciphertext": secret_ciphertext,
        "previous_until": previous_until,
    }
    row = tx.execute(_ROTATE, parameters).mappings().one_or_none()
    return _webhook(row) if row else None


def add_messages(tx: Connection, messages: Sequence[Message], *, now: datetime, creation_wait: timedelta) -> None:
    """Write the messages that a webhook wants, each with its deliveries. No effect for those written before."""
    rows = [
        {
            "message_id": str(message.message_id),
            "user_id": str(message.user_id),
            "event_type": message.event_type.value,
            "object_id": str(message.object_id),
            "position": message.position,
            "payload": message.payload,
            "occurred_at": message.occurred_at.isoformat(),
            "object_created_at": message.object_created_at.isoformat() if message.object_created_at else None,
        }
        for message in messages
    ]
    tx.execute(
        _ADD_MESSAGES,
        {
            "messages": json.dumps(rows),
            "now": now,
            "created_type": EventType.CHECK_CREATED.value,
            "creation_wait_seconds": creation_wait.total_seconds(),
        },
    )


def claim_due(tx: Connection, *, now: datetime, leased_until: datetime, limit: int, per_webhook: int) -> list[Claimed]:
    """Claim a lease on up to ``limit`` due deliveries, and count their attempts."""
    rows = tx.execute(
        _CLAIM_DUE, {"now": now, "leased_until": leased_until, "limit": limit, "per_webhook": per_webhook}
    )
    return [
        Claimed(
            delivery=_delivery(row),
            round_attempts=row["round_attempts"],
            payload=row["payload"],
            url=row["url"],
            secret_ciphertexts=tuple(
                bytes(each) for each in (row["secret_ciphertext"], row["previous_ciphertext"]) if each is not None
            ),
            is_last=not row["is_enabled"],
        )
        for row in rows.mappings()
    ]


def save_outcome(tx: Connection, delivery: Delivery) -> bool:
    """Save the outcome of an attempt; return False if another attempt was made since, or the webhook was deleted."""
    parameters = {
        "delivery_id": delivery.delivery_id,
        "attempts": delivery.attempts,
        "status": delivery.status.value,
        "last_attempt_at": delivery.last_attempt_at,
        "next_attempt_at": delivery.next_attempt_at,
        "delivered_at": delivery.delivered_at,
        "response_status": delivery.response_status,
        "error": delivery.error,
    }
    return tx.execute(_SAVE_OUTCOME, parameters).rowcount == 1


def record_success(tx: Connection, webhook_id: UUID, *, now: datetime) -> None:
    """Record that the receiver works: end a pause, and enable the webhook if it was disabled."""
    tx.execute(_RECORD_SUCCESS, {"webhook_id": webhook_id, "now": now})


def record_failure(tx: Connection, webhook_id: UUID, *, now: datetime) -> None:
    """Count a failed attempt; after several in a row, pause all deliveries of the webhook."""
    failures = tx.execute(_RECORD_FAILURE, {"webhook_id": webhook_id}).scalar_one_or_none()
    pause = pause_after(failures or 0)
    if pause:
        tx.execute(_PAUSE, {"webhook_id": webhook_id, "until": now + pause})


def disable(
    tx: Connection, webhook_id: UUID, *, now: datetime, notice: str, unless_delivered_since: datetime | None
) -> bool:
    """Disable a webhook and end its pending deliveries; return False if it is disabled or has had a success since."""
    parameters = {
        "webhook_id": webhook_id,
        "now": now,
        "notice": notice,
        "unless_delivered_since": unless_delivered_since,
    }
    if tx.execute(_DISABLE, parameters).rowcount != 1:
        return False
    tx.execute(_FAIL_PENDING, {"webhook_id": webhook_id, "error": "the webhook was disabled"})
    return True


def deliveries_of(tx: Connection, webhook_id: UUID, *, before_no: int, limit: int) -> list[tuple[int, Delivery]]:
    """Return deliveries with their sequence numbers, below ``before_no``, newest first."""
    rows = tx.execute(_LIST_DELIVERIES, {"webhook_id": webhook_id, "before": before_no, "limit": limit}).mappings()
    return [(row["delivery_no"], _delivery(row)) for row in rows]


def lock_delivery(tx: Connection, webhook_id: UUID, delivery_id: UUID) -> Delivery | None:
    """Return and lock a delivery of the webhook, None if there is none."""
    row = tx.execute(_LOCK_DELIVERY, {"webhook_id": webhook_id, "delivery_id": delivery_id}).mappings().one_or_none()
    return _delivery(row) if row else None


def save_replay(tx: Connection, delivery: Delivery) -> None:
    """Save that a locked delivery is due again, and end a pause of its webhook."""
    parameters = {
        "delivery_id": delivery.delivery_id,
        "status": delivery.status.value,
        "next_attempt_at": delivery.next_attempt_at,
    }
    tx.execute(_SAVE_REPLAY, parameters)
    tx.execute(_RESUME, {"webhook_id": delivery.webhook_id})


def purge_deliveries(tx: Connection, *, before: datetime, limit: int) -> int:
    """Delete up to ``limit`` ended deliveries that were created before this time; return their number."""
    return tx.execute(_PURGE_DELIVERIES, {"before": before, "limit": limit}).rowcount


def purge_messages(tx: Connection, *, limit: int) -> int:
    """Delete up to ``limit`` messages without deliveries; return their number."""
    return tx.execute(_PURGE_MESSAGES, {"limit": limit}).rowcount


def _webhook(row: Mapping[Any, Any]) -> Webhook:
    values = dict(row)
    types, previous = values["event_types"], values["previous_secret_ciphertext"]
    values["event_types"] = None if types is None else tuple(EventType(each) for each in types)
    values["status"] = WebhookStatus(values["status"])
    values["secret_ciphertext"] = bytes(values["secret_ciphertext"])
    values["previous_secret_ciphertext"] = None if previous is None else bytes(previous)
    return Webhook(**values)


def _delivery(row: Mapping[Any, Any]) -> Delivery:
    values = {name: row[name] for name in Delivery.__slots__}
    values["event_type"] = EventType(values["event_type"])
    values["status"] = DeliveryStatus(values["status"])
    return Delivery(**values)
