"""The SQL statements of the lists. The cost of a page does not depend on its position."""

# ruff: noqa: S608  (statements are put together from constants, never from values)

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from services.checks.models import Check, CheckStatus, HistoryLine, HistoryType
from services.checks.repository import COLUMNS, check_of

_ACTIVE = text(f"""
    SELECT {COLUMNS} FROM checks
     WHERE creator_id = :creator_id AND status = 'active' AND expires_at > :now
       AND (created_at, check_id) < (:created_at, :check_id)
     ORDER BY created_at DESC, check_id DESC
     LIMIT :limit
""")

# Each status of the creator's checks, and the accepted checks, is one index range, read backwards for at most one page.
# The final sort handles a few pages of rows. "expired" includes the stored status "active": a check past its expiration
# is in the history before the sweep reaches it.
_HISTORY = text(f"""
    SELECT 'created' AS type, h.*
      FROM unnest(CAST(:statuses AS text[])) AS requested (status)
     CROSS JOIN LATERAL (SELECT {COLUMNS} FROM checks c
                          WHERE c.creator_id = :user_id AND c.status = requested.status
                            AND c.status NOT IN ('pending', 'rejected')
                            AND c.closes_at <= :now AND c.closes_at >= :since
                            AND (c.closes_at, c.check_id, 2) < (:closes_at, :check_id, :rank)
                          ORDER BY c.closes_at DESC, c.check_id DESC
                          LIMIT :limit) h
    UNION ALL
    (SELECT 'accepted', {COLUMNS} FROM checks c
      WHERE :with_accepted AND c.acceptor_id = :user_id
        AND c.closes_at <= :now AND c.closes_at >= :since
        AND (c.closes_at, c.check_id, 1) < (:closes_at, :check_id, :rank)
      ORDER BY c.closes_at DESC, c.check_id DESC
      LIMIT :limit)
    ORDER BY closes_at DESC, check_id DESC, type DESC
    LIMIT :limit
""")


# A check without held money is unknown, to its creator too.
_OF_PARTICIPANT = text(f"""
    SELECT {COLUMNS} FROM checks
     WHERE number = :number AND (creator_id = :user_id OR acceptor_id = :user_id)
       AND status NOT IN ('pending', 'rejected')
""")


def find_of_participant(tx: Connection, number: str, user_id: UUID) -> Check | None:
    """Return the check with this number if the user created or accepted it, or None."""
    row = tx.execute(_OF_PARTICIPANT, {"number": number, "user_id": user_id}).mappings().one_or_none()
    return check_of(row) if row else None


def active_checks(
    tx: Connection, creator_id: UUID, *, now: datetime, before: tuple[datetime, UUID], limit: int
) -> list[Check]:
    """Return up to ``limit`` active checks of the creator before a position (created_at, check_id), newest first."""
    parameters = {"creator_id": creator_id, "now": now, "created_at": before[0], "check_id": before[1], "limit": limit}
    return [check_of(row) for row in tx.execute(_ACTIVE, parameters).mappings()]


def history(
    tx: Connection,
    user_id: UUID,
    *,
    statuses: Sequence[CheckStatus],
    with_accepted: bool,
    now: datetime,
    since: datetime,
    before: tuple[datetime, UUID, int],
    limit: int,
) -> list[HistoryLine]:
    """Return ended checks that the user created, in these stored statuses, and optionally accepted, last ended first.

    None ended before ``since``. ``before`` is a position (closes_at, check_id, rank). A check that is listed twice has
    rank 2 for its created side, which comes first, and rank 1 for its accepted side.
    """
    rows = tx.execute(
        _HISTORY,
        {
            "user_id": user_id,
            "statuses": [status.value for status in statuses],
            "with_accepted": with_accepted,
            "now": now,
            "since": since,
            "closes_at": before[0],
            "check_id": before[1],
            "rank": before[2],
            "limit": limit,
        },
    ).mappings()
    return [HistoryLine(HistoryType(row["type"]), check_of(row)) for row in rows]
