"""The SQL statements of creating, deciding and ending checks."""

# ruff: noqa: S608  (statements are put together from constants of this module, never from values)

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text

from common.bus import outbox
from common.contracts.events import Event
from common.db import idempotency
from common.db.connection import Connection
from common.db.driver import prepared
from common.db.idempotency import IdempotencyKey, StoredAnswer
from services.checks.models import Check, CheckStatus
from services.checks.repository import COLUMNS, check_of
from services.checks.stored_responses import KeptAnswer

_INSERT = prepared("""
    INSERT INTO checks (check_id, number, creator_id, amount_minor, currency, note, code_ciphertext, status,
                        created_at, expires_at, closes_at, next_try_at)
    VALUES (:check_id, :number, :creator_id, :amount_minor, :currency, :note, :code_ciphertext, :status,
            :created_at, :expires_at, :closes_at, :next_try_at)
    ON CONFLICT (number) DO NOTHING
""")

# The same, once per key of a client: the key is claimed, the check written and its answer kept by one statement.
_INSERT_ONCE = prepared(f"""
    WITH {idempotency.CLAIMED}, effect AS (
        INSERT INTO checks (check_id, number, creator_id, amount_minor, currency, note, code_ciphertext, status,
                            created_at, expires_at, closes_at, next_try_at)
        SELECT :check_id, :number, :creator_id, :amount_minor, :currency, :note, :code_ciphertext, :status,
               :created_at, :expires_at, :closes_at, :next_try_at
          FROM claimed WHERE is_first
        ON CONFLICT (number) DO NOTHING
        RETURNING 1
    ), {idempotency.STORED}
    SELECT claimed.*, EXISTS (SELECT 1 FROM effect) AS inserted FROM claimed
""")

_SAVE_DECISION = prepared("""
    UPDATE checks
       SET status = :status, closes_at = :closes_at, next_try_at = NULL
     WHERE check_id = :check_id AND status = 'pending'
""")

_SAVE_END = prepared(f"""
    WITH {outbox.WRITTEN}
    UPDATE checks
       SET status = :status, acceptor_id = :acceptor_id, closes_at = :closes_at
     WHERE check_id = :check_id AND status = 'active'
""")

# The same, and the answer under the client's key, which this transaction has claimed.
_SAVE_END_ONCE = prepared(f"""
    WITH {outbox.WRITTEN}, effect AS (
        UPDATE checks
           SET status = :status, acceptor_id = :acceptor_id, closes_at = :closes_at
         WHERE check_id = :check_id AND status = 'active'
        RETURNING 1
    ), {idempotency.STORED}
    SELECT 1 FROM effect
""")

_LOCK_DUE = prepared(f"""
    SELECT {COLUMNS} FROM checks
     WHERE status = 'active' AND closes_at <= :now
     ORDER BY closes_at
     LIMIT :limit
       FOR UPDATE SKIP LOCKED
""")

_SAVE_EXPIRED = prepared("""
    UPDATE checks SET status = :status WHERE check_id = ANY(CAST(:check_ids AS uuid[])) AND status = 'active'
""")

_TAKE_PENDING: Final = """
    UPDATE checks
       SET tries = tries + 1,
           next_try_at = CAST(:now AS timestamptz)
                         + make_interval(secs => LEAST(:max_delay, :delay * power(2, LEAST(tries, 20))))
"""
# No turn is put off for so long. One that is was written by a process whose clock was ahead, and would not come.
_IS_DUE: Final = "(next_try_at <= :now OR next_try_at > CAST(:now AS timestamptz) + interval '2 minutes')"
_TAKE_ONE_PENDING = text(f"""
    {_TAKE_PENDING} WHERE check_id = :check_id AND status = 'pending' AND {_IS_DUE}
    RETURNING {COLUMNS}
""")
_TAKE_DUE_PENDING = text(f"""
    {_TAKE_PENDING} WHERE check_id IN (SELECT check_id FROM checks
                                        WHERE status = 'pending' AND {_IS_DUE}
                                        ORDER BY next_try_at
                                        LIMIT :limit
                                          FOR UPDATE SKIP LOCKED)
    RETURNING {COLUMNS}
""")

_GIVE_PENDING_BACK = text("""
    UPDATE checks SET tries = GREATEST(tries - 1, 0), next_try_at = :now
     WHERE check_id = ANY(CAST(:check_ids AS uuid[])) AND status = 'pending'
""")

_UNDECIDED = text("""
    SELECT count(*) AS checks, min(created_at) AS oldest_created_at, max(tries) AS most_tries
      FROM checks WHERE status = 'pending' AND created_at <= :created_before
""")


@dataclass(frozen=True, slots=True)
class Undecided:
    """Pending checks whose money is neither held nor refused after a long time."""

    checks: int
    oldest_created_at: datetime
    most_tries: int


def insert_pending(tx: Connection, check: Check) -> bool:
    """Write a new check down; False when its number is taken."""
    parameters = {name: getattr(check, name) for name in Check.__slots__}
    return tx.execute(_INSERT, parameters).rowcount == 1


def insert_pending_once(
    tx: Connection, check: Check, key: IdempotencyKey, answer: KeptAnswer
) -> tuple[StoredAnswer | None, bool]:
    """Write a new check down with its answer, in autocommit: what was answered before under the key, if anything;
    else whether the check is written, for its number may be taken. Raises as ``idempotency.claim`` and ``store``.
    """
    parameters = {name: getattr(check, name) for name in Check.__slots__}
    with idempotency.first_wins():
        row = tx.execute(
            _INSERT_ONCE, {**parameters, **idempotency.claiming(key), **idempotency.storing(key, *answer)}
        ).one()
    return idempotency.first_answer(row, key), row.inserted


def save_decision(tx: Connection, check: Check) -> None:
    """A pending check is active or rejected now. Whoever was quicker had the same answer from balance."""
    tx.execute(_SAVE_DECISION, {"check_id": check.check_id, "status": check.status.value, "closes_at": check.closes_at})


def save_end(
    tx: Connection,
    check: Check,
    event: Event,
    *,
    delay_seconds: float,
    kept: tuple[IdempotencyKey, KeptAnswer] | None = None,
) -> None:
    """An active check, locked by the caller, is used or cancelled now, and the event says so: one statement.

    With ``kept`` the answer is stored in it too, under a key that the transaction has claimed.
    """
    parameters = {
        "check_id": check.check_id,
        "status": check.status.value,
        "acceptor_id": check.acceptor_id,
        "closes_at": check.closes_at,
        **outbox.bindings([event], delay_seconds=delay_seconds),
    }
    if kept is None:
        saved = tx.execute(_SAVE_END, parameters).rowcount
    else:
        key, answer = kept
        parameters |= idempotency.claiming(key) | idempotency.storing(key, *answer)
        with idempotency.first_wins():
            saved = tx.execute(_SAVE_END_ONCE, parameters).rowcount
    if saved != 1:
        raise RuntimeError(f"check {check.check_id} was not locked while it was changed")


def lock_due_checks(tx: Connection, *, now: datetime, limit: int) -> list[Check]:
    """Active checks whose time has passed, oldest first, without those that somebody else has locked."""
    return [check_of(row) for row in tx.execute(_LOCK_DUE, {"now": now, "limit": limit}).mappings()]


def save_expired(tx: Connection, checks: Sequence[Check]) -> None:
    """These checks, locked by the caller, are expired now."""
    saved = tx.execute(
        _SAVE_EXPIRED, {"check_ids": [check.check_id for check in checks], "status": CheckStatus.EXPIRED.value}
    ).rowcount
    if saved != len(checks):
        raise RuntimeError(f"{len(checks) - saved} checks were not locked while they were expired")


def take_pending(tx: Connection, check_id: UUID, *, now: datetime, delay: float, max_delay: float) -> Check | None:
    """Take the turn of asking balance about a pending check; None when it is somebody else's turn, or decided."""
    row = (
        tx.execute(_TAKE_ONE_PENDING, {"check_id": check_id, "now": now, "delay": delay, "max_delay": max_delay})
        .mappings()
        .one_or_none()
    )
    return check_of(row) if row else None


def take_due_pending(tx: Connection, *, now: datetime, limit: int, delay: float, max_delay: float) -> list[Check]:
    """Take the turn for many; the next turn of each comes after a growing delay (in seconds)."""
    rows = tx.execute(_TAKE_DUE_PENDING, {"now": now, "limit": limit, "delay": delay, "max_delay": max_delay})
    return [check_of(row) for row in rows.mappings()]


def give_pending_back(tx: Connection, check_ids: Sequence[UUID], *, now: datetime) -> None:
    """Balance did not answer: these turns do not count, and anybody may ask again at once."""
    tx.execute(_GIVE_PENDING_BACK, {"check_ids": list(check_ids), "now": now})


def undecided(tx: Connection, *, created_before: datetime) -> Undecided | None:
    """What has been pending for too long, if anything."""
    row = tx.execute(_UNDECIDED, {"created_before": created_before}).one()
    return Undecided(row.checks, row.oldest_created_at, row.most_tries) if row.checks else None
