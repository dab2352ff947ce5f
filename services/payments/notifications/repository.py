"""SQL of notifications."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from services.payments.banks.base import Notification
from services.payments.models import Verdict

#: A longer message is truncated; banks send far less.
MAX_BODY_CHARACTERS: Final = 16_384

_RECORD = text("""
    INSERT INTO notifications AS n
           (bank, source, bank_payment_id, bank_status, claim, bank_order_id, amount_minor, currency, topup_id, verdict,
            address, headers, body)
    VALUES (:bank, :source, :bank_payment_id, :bank_status, :claim, :bank_order_id, :amount_minor, :currency, :topup_id,
            :verdict, :address, CAST(:headers AS jsonb), :body)
    ON CONFLICT (bank, bank_payment_id, bank_status, claim) WHERE claim IS NOT NULL DO UPDATE
       SET times = n.times + 1,
           last_received_at = now(),
           topup_id = COALESCE(n.topup_id, EXCLUDED.topup_id),
           -- A repeat of an applied notification stays applied; a rejected one takes its new verdict.
           verdict = CASE WHEN EXCLUDED.verdict = 'noted' AND n.verdict = 'applied' THEN n.verdict
                          ELSE EXCLUDED.verdict END
""")

# Anyone can send forged notifications: a limited number per bank and hour is stored, so that those of one bank do not
# displace those of another; the rest is only counted in the metrics.
_RECORD_FORGED = text("""
    INSERT INTO notifications (bank, source, verdict, address, headers, body)
    SELECT :bank, 'webhook', 'bad_signature', :address, CAST(:headers AS jsonb), :body
     WHERE (SELECT count(*) FROM (SELECT 1 FROM notifications
                                   WHERE bank = :bank AND verdict = 'bad_signature'
                                     AND first_received_at > now() - interval '1 hour'
                                   LIMIT :most) recent) < :most
""")

_COLUMNS: Final = """notification_id, bank, source, bank_payment_id, bank_status, bank_order_id, amount_minor, currency,
    topup_id, verdict, address, headers, body, times, first_received_at, last_received_at"""

_OF_TOPUP = text(f"""
    SELECT {_COLUMNS} FROM notifications WHERE topup_id = :topup_id ORDER BY notification_id LIMIT 1000
""")  # noqa: S608  the columns are ours

_REFUSED = text(f"""
    SELECT {_COLUMNS} FROM notifications
     WHERE verdict NOT IN ('applied', 'noted') AND notification_id < :before_id
       AND (CAST(:bank AS text) IS NULL OR bank = :bank)
     ORDER BY notification_id DESC
     LIMIT :limit
""")  # noqa: S608

_PURGE = text("""
    DELETE FROM notifications
     WHERE notification_id IN (SELECT notification_id FROM notifications
                                WHERE last_received_at < now() - make_interval(days => :days)
                                ORDER BY last_received_at LIMIT :limit FOR UPDATE SKIP LOCKED)
""")


@dataclass(frozen=True, slots=True)
class Evidence:
    """A received message, with card data masked: for operators, and as evidence in a dispute with the bank."""

    source: str
    address: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""

    def row(self) -> dict[str, object]:
        return {
            "source": self.source,
            "address": self.address,
            "headers": json.dumps(self.headers),
            # PostgreSQL rejects NUL in text.
            "body": self.body[:MAX_BODY_CHARACTERS].replace("\x00", "\\0"),
        }


@dataclass(frozen=True, slots=True)
class StoredNotification:
    """A stored message with its verdict. ``times``: how often the same notification was received."""

    notification_id: int
    bank: str
    source: str
    bank_payment_id: str | None
    bank_status: str | None
    bank_order_id: str | None
    amount_minor: int | None
    currency: str | None
    topup_id: UUID | None
    verdict: str
    address: str | None
    headers: dict[str, str]
    body: str
    times: int
    first_received_at: datetime
    last_received_at: datetime


def record(
    tx: Connection,
    bank: str,
    notification: Notification,
    evidence: Evidence,
    *,
    verdict: Verdict,
    topup_id: UUID | None,
) -> None:
    """Store an authentic notification once per payment, status and claim; a repeat increments its counter."""
    claim = "|".join(
        str(part)
        for part in (notification.order_id, notification.amount_minor, notification.currency, notification.terminal)
    )
    tx.execute(
        _RECORD,
        {
            "bank": bank,
            "bank_payment_id": notification.bank_payment_id,
            "bank_status": notification.bank_status,
            "claim": hashlib.sha256(claim.encode()).digest(),
            "bank_order_id": notification.order_id,
            "amount_minor": notification.amount_minor,
            "currency": notification.currency,
            "topup_id": topup_id,
            "verdict": verdict.value,
            **evidence.row(),
        },
    )


def record_forged(tx: Connection, bank: str, evidence: Evidence, *, most_per_hour: int) -> None:
    """Store a forged notification, up to a number per bank and hour."""
    tx.execute(_RECORD_FORGED, {"bank": bank, "most": most_per_hour, **evidence.row()})


def of_topup(tx: Connection, topup_id: UUID) -> list[StoredNotification]:
    """Return the notifications of a top-up, oldest first."""
    return [StoredNotification(**row) for row in tx.execute(_OF_TOPUP, {"topup_id": topup_id}).mappings()]


def list_refused(tx: Connection, *, bank: str | None, before_id: int, limit: int) -> list[StoredNotification]:
    """Return notifications that were rejected and need an operator, newest first."""
    rows = tx.execute(_REFUSED, {"bank": bank, "before_id": before_id, "limit": limit}).mappings()
    return [StoredNotification(**row) for row in rows]


def purge(tx: Connection, *, older_than_days: int, limit: int) -> int:
    """Delete a batch of old notifications; return their number."""
    return tx.execute(_PURGE, {"days": older_than_days, "limit": limit}).rowcount
