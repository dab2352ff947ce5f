"""Every SQL statement about checks. A function is named for what it gives or what it makes true."""

# ruff: noqa: S608  (statements are put together from constants of this module, never from values)

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from common.bus import outbox
from common.contracts.events import Event
from common.db import idempotency
from common.db.connection import Connection, RowMapping
from common.db.driver import prepared
from common.db.idempotency import IdempotencyKey, StoredAnswer
from services.checks.models import Attempt, Check, CheckStatus

COLUMNS: Final = """
    check_id, number, creator_id, acceptor_id, amount_minor, currency, note, code_ciphertext, status, created_at,
    expires_at, closes_at, failed_attempts, freezes, frozen_until, tries, next_try_at
"""

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

_FIND = prepared(f"SELECT {COLUMNS} FROM checks WHERE check_id = :check_id")

# A check without money behind it is unknown to everybody, its creator included.
_FIND_OWN = f"""
    SELECT {COLUMNS} FROM checks
     WHERE number = :number AND creator_id = :creator_id AND status NOT IN ('pending', 'rejected')
"""
_SEE_OWN = text(_FIND_OWN)
_LOCK_OWN = text(_FIND_OWN + " FOR UPDATE")

# The attempt that used up what one user may get wrong, if there is one; newest first, so that its time
# says when he may try again.
_LAST_ALLOWED_FAILURE: Final = """
    SELECT attempted_at FROM failed_attempts
     WHERE user_id = :user_id AND attempted_at > :window_start
     ORDER BY attempted_at DESC OFFSET :allowed - 1 LIMIT 1
"""

# One row always comes back, whether or not the number exists. A blocked user's attempt locks nothing.
_ATTEMPTED: Final = f"""
    SELECT u.exhausted_at, c.*
      FROM (SELECT ({_LAST_ALLOWED_FAILURE}) AS exhausted_at) u
      LEFT JOIN LATERAL (SELECT {COLUMNS} FROM checks
                          WHERE number = :number AND status NOT IN ('pending', 'rejected')
                            AND u.exhausted_at IS NULL
                            FOR UPDATE) c ON true
"""
_LOCK_FOR_ATTEMPT = prepared(_ATTEMPTED)

# The same with the claim of a client's key before it. What was answered before is not looked at again.
_LOCK_FOR_ATTEMPT_ONCE = prepared(f"""
    WITH {idempotency.CLAIMED}
    SELECT * FROM claimed LEFT JOIN LATERAL ({_ATTEMPTED}) attempted ON claimed.is_first
""")

_LOCK_FAILURES = text("SELECT pg_advisory_xact_lock(hashtextextended(:user_id, 11))")

# Counts on the user and on the check, or on neither when the user has had all his attempts. Also for a number
# that does not exist, so that it takes as long.
_RECORD_FAILURE = text(f"""
    WITH exhausted AS ({_LAST_ALLOWED_FAILURE}), recorded AS (
        INSERT INTO failed_attempts (user_id, attempted_at)
        SELECT :user_id, :at WHERE NOT EXISTS (SELECT 1 FROM exhausted)
        RETURNING 1
    ), counted AS (
        UPDATE checks
           SET failed_attempts = :failed_attempts, freezes = :freezes, frozen_until = :frozen_until
         WHERE check_id = :check_id AND EXISTS (SELECT 1 FROM recorded)
    )
    SELECT attempted_at FROM exhausted
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

_SAVE_CODE = text("UPDATE checks SET code_ciphertext = :code_ciphertext WHERE check_id = :check_id")

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

_PURGE_FAILED_ATTEMPTS = text("""
    DELETE FROM failed_attempts
     WHERE attempt_id IN (SELECT attempt_id FROM failed_attempts WHERE attempted_at < :before
                           ORDER BY attempted_at LIMIT :limit FOR UPDATE SKIP LOCKED)
""")


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many failed attempts one user has, since when they are counted."""

    allowed: int
    window_start: datetime


@dataclass(frozen=True, slots=True)
class Locked:
    """When the user used up his allowance, if he did; else the check with this number, locked, if there is one."""

    exhausted_at: datetime | None
    check: Check | None


#: Status, text and check of an answer, as ``idempotency.store`` takes them.
KeptAnswer = tuple[int, bytes, UUID | None]


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


def find(tx: Connection, check_id: UUID) -> Check:
    """The check with this id, which must exist."""
    return check_of(tx.execute(_FIND, {"check_id": check_id}).mappings().one())


def find_own(tx: Connection, number: str, creator_id: UUID, *, lock: bool) -> Check | None:
    """A check of this creator that he was told of, locked until the end of the transaction if asked for."""
    statement = _LOCK_OWN if lock else _SEE_OWN
    row = tx.execute(statement, {"number": number, "creator_id": creator_id}).mappings().one_or_none()
    return check_of(row) if row else None


def lock_for_attempt(tx: Connection, attempt: Attempt, allowance: Allowance) -> Locked:
    """What an attempt finds, locked until the end of the transaction."""
    row = tx.execute(_LOCK_FOR_ATTEMPT, {"number": attempt.number, **_counted(attempt, allowance)}).mappings().one()
    return Locked(row["exhausted_at"], check_of(row) if row["check_id"] else None)


def lock_for_attempt_once(
    tx: Connection, attempt: Attempt, allowance: Allowance, key: IdempotencyKey
) -> StoredAnswer | Locked:
    """The same for a request with a key, or its first answer if there is one; raises as ``idempotency.claim``."""
    row = tx.execute(
        _LOCK_FOR_ATTEMPT_ONCE,
        {"number": attempt.number, **_counted(attempt, allowance), **idempotency.claiming(key)},
    ).one()
    first = idempotency.first_answer(row, key)
    if first is not None:
        return first
    return Locked(row.exhausted_at, check_of(row._asdict()) if row.check_id else None)


def record_failure(tx: Connection, attempt: Attempt, allowance: Allowance, counted: Check | None) -> datetime | None:
    """Count a failed attempt on the user and on the check, if there is one, as ``counted`` says.

    Returns None, or the moment at which the user had used up his allowance: then nothing is counted. Failures of
    one user are counted one after the other.
    """
    tx.execute(_LOCK_FAILURES, {"user_id": str(attempt.user_id)})
    exhausted_at: datetime | None = tx.execute(
        _RECORD_FAILURE,
        {
            **_counted(attempt, allowance),
            "at": attempt.at,
            "check_id": counted.check_id if counted else None,
            "failed_attempts": counted.failed_attempts if counted else 0,
            "freezes": counted.freezes if counted else 0,
            "frozen_until": counted.frozen_until if counted else None,
        },
    ).scalar_one_or_none()
    return exhausted_at


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


def save_code(tx: Connection, check: Check) -> None:
    """The old code stops working."""
    tx.execute(_SAVE_CODE, {"check_id": check.check_id, "code_ciphertext": check.code_ciphertext})


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


def purge_failed_attempts(tx: Connection, *, before: datetime, limit: int) -> int:
    """Forget a batch of failed attempts that count no more; returns how many."""
    return tx.execute(_PURGE_FAILED_ATTEMPTS, {"before": before, "limit": limit}).rowcount


def _counted(attempt: Attempt, allowance: Allowance) -> dict[str, object]:
    return {
        "user_id": attempt.user_id,
        "window_start": allowance.window_start,
        "allowed": allowance.allowed,
    }


def check_of(row: RowMapping) -> Check:
    """A row with all of COLUMNS."""
    values: dict[str, Any] = {name: row[name] for name in Check.__slots__}
    values["status"] = CheckStatus(values["status"])
    values["code_ciphertext"] = bytes(values["code_ciphertext"])
    return Check(**values)
