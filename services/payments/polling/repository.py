"""SQL of the polling schedule."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from services.payments.models import TopUp
from services.payments.topups.repository import TOPUP_COLUMNS, topup_of

# The next poll is scheduled before the bank is called: a crash in between costs one poll, not the top-up.
_CLAIM_DUE = text(f"""
    UPDATE topups t
       SET polls = t.polls + 1,
           next_poll_at = CASE
               WHEN t.expires_at > :now
               THEN LEAST(t.expires_at, CAST(:now AS timestamptz) + make_interval(secs =>
                        LEAST(:max_seconds, :first_seconds * power(2, LEAST(t.polls + 1, 20)))))
               ELSE CAST(:now AS timestamptz) + make_interval(secs =>
                        LEAST(:max_late_seconds, :first_seconds * power(2, LEAST(t.polls + 1, 20)))) END
      FROM (SELECT topup_id FROM topups
             WHERE next_poll_at <= :now AND (busy_until IS NULL OR busy_until <= :now)
             ORDER BY next_poll_at LIMIT :limit FOR UPDATE SKIP LOCKED) due
     WHERE t.topup_id = due.topup_id
    RETURNING {TOPUP_COLUMNS}
""")  # noqa: S608

# Limits the polls that a browser's return triggers: its address is public.
_CLAIM_LEASE = text("""
    UPDATE topups SET busy_until = :busy_until
     WHERE topup_id = :topup_id AND status IN ('pending', 'expired', 'failed')
       AND (busy_until IS NULL OR busy_until <= :now)
    RETURNING 1
""")

_STOP_POLLING = text("UPDATE topups SET next_poll_at = NULL WHERE topup_id = :topup_id")


def claim_due(
    tx: Connection,
    *,
    now: datetime,
    limit: int,
    first_seconds: float,
    max_seconds: float,
    max_late_seconds: float,
) -> list[TopUp]:
    """Claim due top-ups: count the poll and schedule the next one. Intervals are in seconds.

    ``max_seconds`` bounds the interval before expiry, ``max_late_seconds`` after it.
    """
    rows = tx.execute(
        _CLAIM_DUE,
        {
            "now": now,
            "limit": limit,
            "first_seconds": first_seconds,
            "max_seconds": max_seconds,
            "max_late_seconds": max_late_seconds,
        },
    ).mappings()
    return [topup_of(row) for row in rows]


def claim_lease(tx: Connection, topup_id: UUID, *, now: datetime, busy_until: datetime) -> bool:
    """Claim the right to poll an unfinished top-up; return False while another lease is valid."""
    found = tx.execute(_CLAIM_LEASE, {"topup_id": topup_id, "now": now, "busy_until": busy_until})
    return found.one_or_none() is not None


def stop_polling(tx: Connection, topup_id: UUID) -> None:
    tx.execute(_STOP_POLLING, {"topup_id": topup_id})
