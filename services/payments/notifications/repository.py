"""Every SQL statement on notifications."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from services.payments.banks.base import Notification
from services.payments.models import Verdict

#: More of a message is not kept; no bank sends so much.
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
           -- A repeat of what was applied stays applied; what was refused and is now understood is not refused.
           verdict = CASE WHEN EXCLUDED.verdict = 'noted' AND n.verdict = 'applied' THEN n.verdict
                          ELSE EXCLUDED.verdict END
""")

# Anybody can send a forged one: only so many an hour are kept, the rest is counted in the metrics alone.
_RECORD_FORGED = text("""
    INSERT INTO notifications (bank, source, verdict, address, headers, body)
    SELECT :bank, 'webhook', 'bad_signature', :address, CAST(:headers AS jsonb), :body
     WHERE (SELECT count(*) FROM (SELECT 1 FROM notifications
                                   WHERE verdict = 'bad_signature' AND first_received_at > now() - interval '1 hour'
                                   LIMIT :most) kept) < :most
""")

_PURGE = text("""
    DELETE FROM notifications
     WHERE notification_id IN (SELECT notification_id FROM notifications
                                WHERE last_received_at < now() - make_interval(days => :days)
                                ORDER BY last_received_at LIMIT :limit FOR UPDATE SKIP LOCKED)
""")


@dataclass(frozen=True, slots=True)
class Evidence:
    """A message as it came, masked: for the operator, and for a quarrel with the bank."""

    source: str
    address: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""

    def row(self) -> dict[str, object]:
        return {
            "source": self.source,
            "address": self.address,
            "headers": json.dumps(self.headers),
            # PostgreSQL takes no NUL.
            "body": self.body[:MAX_BODY_CHARACTERS].replace("\x00", "\\0"),
        }


def record(
    tx: Connection, bank: str, said: Notification, evidence: Evidence, *, verdict: Verdict, topup_id: UUID | None
) -> None:
    """Keep a genuine word of a bank, once per payment, status and claim; the same again only counts up."""
    claim = "|".join(str(part) for part in (said.order_id, said.amount_minor, said.currency, said.terminal))
    tx.execute(
        _RECORD,
        {
            "bank": bank,
            "bank_payment_id": said.bank_payment_id,
            "bank_status": said.bank_status,
            "claim": hashlib.sha256(claim.encode()).digest(),
            "bank_order_id": said.order_id,
            "amount_minor": said.amount_minor,
            "currency": said.currency,
            "topup_id": topup_id,
            "verdict": verdict.value,
            **evidence.row(),
        },
    )


def record_forged(tx: Connection, bank: str, evidence: Evidence, *, most_per_hour: int) -> None:
    """Keep a notification that the bank cannot have sent, unless too many came of late."""
    tx.execute(_RECORD_FORGED, {"bank": bank, "most": most_per_hour, **evidence.row()})


def purge(tx: Connection, *, older_than_days: int, limit: int) -> int:
    """Delete a batch of old notifications; returns how many."""
    return tx.execute(_PURGE, {"days": older_than_days, "limit": limit}).rowcount
