"""The SQL statements of the codes: attempts at them, changing them, and the keys that encrypt them."""

# ruff: noqa: S608  (statements are put together from constants, never from values)

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text

from common.db import idempotency
from common.db.connection import Connection
from common.db.driver import prepared
from common.db.idempotency import IdempotencyKey, StoredAnswer
from services.checks.codes.vault import KEY_NAME_BYTES
from services.checks.models import Attempt, Check
from services.checks.repository import COLUMNS, check_of

#: A place in the order in which checks end.
Place = tuple[datetime, UUID]

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

_SAVE_CODE = text("UPDATE checks SET code_ciphertext = :code_ciphertext WHERE check_id = :check_id")

_UNDER_OLD_KEY: Final = f"substring(code_ciphertext FROM 1 FOR {KEY_NAME_BYTES}) <> :newest"

# In the order of ``checks_due``. Whoever holds the lock of a check is about to end it or to give it a new code.
_LOCK_UNDER_OLD_KEY = text(f"""
    SELECT check_id, closes_at, code_ciphertext FROM checks
     WHERE status = 'active' AND closes_at > :now AND (closes_at, check_id) > (:closes_at, :check_id)
       AND {_UNDER_OLD_KEY}
     ORDER BY closes_at, check_id
     LIMIT :limit
       FOR UPDATE SKIP LOCKED
""")

_SAVE_RENEWED = text("""
    UPDATE checks c SET code_ciphertext = e.code_ciphertext
      FROM unnest(CAST(:check_ids AS uuid[]), CAST(:ciphertexts AS bytea[])) AS e (check_id, code_ciphertext)
     WHERE c.check_id = e.check_id
""")

_COUNT_UNDER_OLD_KEY = text(f"""
    SELECT count(*) FROM checks
     WHERE status = 'active' AND closes_at > :now AND {_UNDER_OLD_KEY}
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


@dataclass(frozen=True, slots=True)
class SealedCode:
    """The code of an active check as it is kept."""

    check_id: UUID
    closes_at: datetime
    ciphertext: bytes

    @property
    def place(self) -> Place:
        return self.closes_at, self.check_id


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


def save_code(tx: Connection, check: Check) -> None:
    """The old code stops working."""
    tx.execute(_SAVE_CODE, {"check_id": check.check_id, "code_ciphertext": check.code_ciphertext})


def lock_under_old_key(tx: Connection, newest: bytes, *, now: datetime, after: Place, limit: int) -> list[SealedCode]:
    """Codes of active checks that the newest key has not encrypted, without those that somebody else has locked."""
    rows = tx.execute(
        _LOCK_UNDER_OLD_KEY,
        {"newest": newest, "now": now, "closes_at": after[0], "check_id": after[1], "limit": limit},
    )
    return [SealedCode(row.check_id, row.closes_at, bytes(row.code_ciphertext)) for row in rows]


def save_renewed(tx: Connection, ciphertexts: Mapping[UUID, bytes]) -> None:
    """Keep these codes, locked by the caller, under another key."""
    tx.execute(_SAVE_RENEWED, {"check_ids": list(ciphertexts), "ciphertexts": list(ciphertexts.values())})


def count_under_old_key(tx: Connection, newest: bytes, *, now: datetime) -> int:
    """How many active checks need a key that is not the newest."""
    return int(tx.execute(_COUNT_UNDER_OLD_KEY, {"newest": newest, "now": now}).scalar_one())


def purge_failed_attempts(tx: Connection, *, before: datetime, limit: int) -> int:
    """Forget a batch of failed attempts that count no more; returns how many."""
    return tx.execute(_PURGE_FAILED_ATTEMPTS, {"before": before, "limit": limit}).rowcount


def _counted(attempt: Attempt, allowance: Allowance) -> dict[str, object]:
    return {
        "user_id": attempt.user_id,
        "window_start": allowance.window_start,
        "allowed": allowance.allowed,
    }
