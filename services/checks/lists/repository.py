"""The SQL statements of the lists: a page costs the same however much lies behind it."""

# ruff: noqa: S608  (statements are put together from constants, never from values)

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from common.db.connection import Connection
from common.db.driver import prepared
from services.checks.models import Check, CheckStatus, HistoryLine, HistoryType
from services.checks.repository import COLUMNS, check_of

_ACTIVE = prepared(f"""
    SELECT {COLUMNS} FROM checks
     WHERE creator_id = :creator_id AND status = 'active' AND expires_at > :now
       AND (created_at, check_id) < (:created_at, :check_id)
     ORDER BY created_at DESC, check_id DESC
     LIMIT :limit
""")

# Each status of the creator's checks, and the accepted ones, is one index range that is read backwards and no
# further than a page; the rows that are sorted at the end are a few pages at most. "active" is asked for too
# where "expired" is: what is over is over before the sweep says so.
_HISTORY = text(f"""
    SELECT 'created' AS type, h.*
      FROM unnest(CAST(:statuses AS text[])) AS wanted (status)
     CROSS JOIN LATERAL (SELECT {COLUMNS} FROM checks c
                          WHERE c.creator_id = :user_id AND c.status = wanted.status
                            AND c.status NOT IN ('pending', 'rejected')
                            AND c.closes_at <= :now
                            AND (c.closes_at, c.check_id, 2) < (:closes_at, :check_id, :rank)
                          ORDER BY c.closes_at DESC, c.check_id DESC
                          LIMIT :limit) h
    UNION ALL
    (SELECT 'accepted', {COLUMNS} FROM checks c
      WHERE :with_accepted AND c.acceptor_id = :user_id
        AND c.closes_at <= :now
        AND (c.closes_at, c.check_id, 1) < (:closes_at, :check_id, :rank)
      ORDER BY c.closes_at DESC, c.check_id DESC
      LIMIT :limit)
    ORDER BY closes_at DESC, check_id DESC, type DESC
    LIMIT :limit
""")


def active_checks(
    tx: Connection, creator_id: UUID, *, now: datetime, before: tuple[datetime, UUID], limit: int
) -> list[Check]:
    """Active checks of one creator, created before a position, newest first."""
    parameters = {"creator_id": creator_id, "now": now, "created_at": before[0], "check_id": before[1], "limit": limit}
    return [check_of(row) for row in tx.execute(_ACTIVE, parameters).mappings()]


def history(
    tx: Connection,
    user_id: UUID,
    *,
    statuses: Sequence[CheckStatus],
    with_accepted: bool,
    now: datetime,
    before: tuple[datetime, UUID, int],
    limit: int,
) -> list[HistoryLine]:
    """Ended checks that the user created, in these statuses, and those that he accepted, last ended first.

    A position is (closes_at, check_id, rank): of a check that is listed twice the created side (rank 2) comes first.
    """
    rows = tx.execute(
        _HISTORY,
        {
            "user_id": user_id,
            "statuses": [status.value for status in statuses],
            "with_accepted": with_accepted,
            "now": now,
            "closes_at": before[0],
            "check_id": before[1],
            "rank": before[2],
            "limit": limit,
        },
    ).mappings()
    return [HistoryLine(HistoryType(row["type"]), check_of(row)) for row in rows]
