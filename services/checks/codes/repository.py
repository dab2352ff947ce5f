"""The SQL statements of the codes: attempts at them, changing them, and the keys that encrypt them."""

# ruff: noqa: S608  (statements are put together from constants, never from values)

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from common.db import idempotency
from common.db.idempotency import IdempotencyKey, StoredAnswer
from services.checks.codes.vault import KEY_NAME_BYTES
from services.checks.models import Attempt, Check
from services.checks.repository import COLUMNS, check_of

#: A position in the order (closes_at, check_id).
Position = tuple[datetime, UUID]

# The time of the attempt that exhausted the allowance of the user or of the address, if any: the ``allowed``-th newest
# in the window. Its time plus the window is when the next attempt is possible.
_EXHAUSTED_AT: Final = """
    GREATEST(
        (SELECT attempted_at FROM failed_attempts
          WHERE user_id = :user_id AND attempted_at > :window_start
          ORDER BY attempted_at DESC OFFSET :allowed - 1 LIMIT 1),
        (SELECT attempted_at FROM failed_attempts
          WHERE address = :address AND attempted_at > :window_start
          ORDER BY attempted_at DESC OFFSET :allowed_of_address - 1 LIMIT 1))
"""

# Returns one row whether or not the number exists. The attempt of a blocked user locks nothing.
_ATTEMPTED: Final = f"""
    SELECT u.exhausted_at, c.*
      FROM (SELECT {_EXHAUSTED_AT} AS exhausted_at) u
      LEFT JOIN LATERAL (SELECT {COLUMNS} FROM checks
                          WHERE number = :number AND status NOT IN ('pending', 'rejected')
                            AND u.exhausted_at IS NULL
                            FOR UPDATE) c ON true
"""
_LOCK_FOR_ATTEMPT = text(_ATTEMPTED)


def _lock_for_attempt_once() -> str:
    """Return the statement that claims an idempotency key and, for a first request, locks the check.

    Complete, with the columns left out::

        WITH turn AS (SELECT pg_try_advisory_xact_lock(...) AS granted),
             claimed AS (SELECT turn.granted, turn.granted AND k.key IS NULL AS is_first, k.request_hash, ...
                           FROM turn LEFT JOIN idempotency_keys k ON ...)
        SELECT * FROM claimed
          LEFT JOIN LATERAL (
              SELECT u.exhausted_at, c.*
                FROM (SELECT (SELECT attempted_at FROM failed_attempts WHERE user_id = ... LIMIT 1) AS exhausted_at) u
                LEFT JOIN LATERAL (SELECT ... FROM checks WHERE number = ... FOR UPDATE) c ON true
          ) attempted ON claimed.is_first
    """
    return f"""
        WITH {idempotency.CLAIMED}
        SELECT * FROM claimed LEFT JOIN LATERAL ({_ATTEMPTED}) attempted ON claimed.is_first
    """


_LOCK_FOR_ATTEMPT_ONCE = text(_lock_for_attempt_once())

_LOCK_FAILURES = text("SELECT pg_advisory_xact_lock(hashtextextended(:user_id, 11))")

# Counts the failure on the user and on the check, or on neither if the user's allowance is exhausted. Runs for an
# unknown number too, so that it takes as long.
_RECORD_FAILURE = text(f"""
    WITH exhausted AS (
        SELECT attempted_at FROM (SELECT {_EXHAUSTED_AT} AS attempted_at) last WHERE attempted_at IS NOT NULL
    ), recorded AS (
        INSERT INTO failed_attempts (user_id, address, attempted_at)
        SELECT :user_id, :address, :at WHERE NOT EXISTS (SELECT 1 FROM exhausted)
        RETURNING 1
    ), counted AS (
        UPDATE checks
           SET failed_attempts = :failed_attempts, wrong_codes = :wrong_codes, freezes = :freezes,
               frozen_until = :frozen_until
         WHERE check_id = :check_id AND EXISTS (SELECT 1 FROM recorded)
    )
    SELECT attempted_at FROM exhausted
""")

_SAVE_CODE = text("""
    UPDATE checks
       SET code_ciphertext = :code_ciphertext, failed_attempts = :failed_attempts, wrong_codes = :wrong_codes,
           freezes = :freezes, frozen_until = :frozen_until
     WHERE check_id = :check_id
""")

_UNDER_OLD_KEY: Final = f"substring(code_ciphertext FROM 1 FOR {KEY_NAME_BYTES}) <> :newest"

# In the order of the index ``checks_due``. A locked check is about to end or to get a new code: skip it.
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
    """How many failed attempts a user and an address may make, and the instant since which they count."""

    allowed: int
    window_start: datetime
    allowed_of_address: int = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Locked:
    """What an attempt found: when its allowance was exhausted, or else the check with the number, locked."""

    exhausted_at: datetime | None
    check: Check | None


@dataclass(frozen=True, slots=True)
class EncryptedCode:
    """The encrypted code of an active check."""

    check_id: UUID
    closes_at: datetime
    ciphertext: bytes

    @property
    def position(self) -> Position:
        return self.closes_at, self.check_id


def lock_for_attempt(tx: Connection, attempt: Attempt, allowance: Allowance) -> Locked:
    """Return what the attempt finds, and lock the check until the end of the transaction."""
    row = tx.execute(_LOCK_FOR_ATTEMPT, {"number": attempt.number, **_counted(attempt, allowance)}).mappings().one()
    return Locked(row["exhausted_at"], check_of(row) if row["check_id"] else None)


def lock_for_attempt_once(
    tx: Connection, attempt: Attempt, allowance: Allowance, key: IdempotencyKey
) -> StoredAnswer | Locked:
    """Claim the key and lock as :func:`lock_for_attempt`, in one statement; return the stored response if there is one.

    Raises RequestInProgress and IdempotencyKeyReused.
    """
    row = tx.execute(
        _LOCK_FOR_ATTEMPT_ONCE,
        {"number": attempt.number, **_counted(attempt, allowance), **idempotency.claiming(key)},
    ).one()
    stored = idempotency.first_answer(row, key)
    if stored is not None:
        return stored
    return Locked(row.exhausted_at, check_of(row._asdict()) if row.check_id else None)


def record_failure(tx: Connection, attempt: Attempt, allowance: Allowance, counted: Check | None) -> datetime | None:
    """Record a failed attempt of the user, and save the counters of ``counted``, the check after it, if there is one.

    Return None, or the instant at which the user had exhausted the allowance; then nothing is recorded. An advisory
    lock serializes the failures of one user, so that concurrent ones cannot exceed the allowance.
    """
    tx.execute(_LOCK_FAILURES, {"user_id": str(attempt.user_id)})
    exhausted_at: datetime | None = tx.execute(
        _RECORD_FAILURE,
        {
            **_counted(attempt, allowance),
            "at": attempt.at,
            "check_id": counted.check_id if counted else None,
            "failed_attempts": counted.failed_attempts if counted else 0,
            "wrong_codes": counted.wrong_codes if counted else 0,
            "freezes": counted.freezes if counted else 0,
            "frozen_until": counted.frozen_until if counted else None,
        },
    ).scalar_one_or_none()
    return exhausted_at


def save_code(tx: Connection, check: Check) -> None:
    """Save the new code of a check and its counters; the old code stops working."""
    tx.execute(
        _SAVE_CODE,
        {
            "check_id": check.check_id,
            "code_ciphertext": check.code_ciphertext,
            "failed_attempts": check.failed_attempts,
            "wrong_codes": check.wrong_codes,
            "freezes": check.freezes,
            "frozen_until": check.frozen_until,
        },
    )


def lock_under_old_key(
    tx: Connection, newest: bytes, *, now: datetime, after: Position, limit: int
) -> list[EncryptedCode]:
    """Return and lock up to ``limit`` codes of active checks under an older key, after a position; skip locked ones."""
    rows = tx.execute(
        _LOCK_UNDER_OLD_KEY,
        {"newest": newest, "now": now, "closes_at": after[0], "check_id": after[1], "limit": limit},
    )
    return [EncryptedCode(row.check_id, row.closes_at, bytes(row.code_ciphertext)) for row in rows]


def save_renewed(tx: Connection, ciphertexts: Mapping[UUID, bytes]) -> None:
    """Save re-encrypted codes by check id. The caller holds the locks of the checks."""
    tx.execute(_SAVE_RENEWED, {"check_ids": list(ciphertexts), "ciphertexts": list(ciphertexts.values())})


def count_under_old_key(tx: Connection, newest: bytes, *, now: datetime) -> int:
    """Return the number of active checks whose code is under an older key."""
    return int(tx.execute(_COUNT_UNDER_OLD_KEY, {"newest": newest, "now": now}).scalar_one())


def purge_failed_attempts(tx: Connection, *, before: datetime, limit: int) -> int:
    """Delete up to ``limit`` failed attempts from before an instant; return their number."""
    return tx.execute(_PURGE_FAILED_ATTEMPTS, {"before": before, "limit": limit}).rowcount


def _counted(attempt: Attempt, allowance: Allowance) -> dict[str, object]:
    return {
        "user_id": attempt.user_id,
        "address": attempt.address,
        "window_start": allowance.window_start,
        "allowed": allowance.allowed,
        "allowed_of_address": allowance.allowed_of_address,
    }
