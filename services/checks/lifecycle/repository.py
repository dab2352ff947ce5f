"""The SQL statements of creating, deciding and ending checks."""

# ruff: noqa: S608  (statements are put together from constants of this module, never from values)

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from common.bus import outbox
from common.contracts.events import Event
from common.db import idempotency
from common.db.idempotency import IdempotencyKey, StoredAnswer
from services.checks.models import Check, CheckStatus
from services.checks.repository import COLUMNS, check_of
from services.checks.stored_responses import ResponseToStore

_INSERT = text("""
    INSERT INTO checks (check_id, number, creator_id, amount_minor, currency, note, code_ciphertext, status,
                        created_at, expires_at, closes_at, next_try_at)
    VALUES (:check_id, :number, :creator_id, :amount_minor, :currency, :note, :code_ciphertext, :status,
            :created_at, :expires_at, :closes_at, :next_try_at)
    ON CONFLICT (number) DO NOTHING
""")


def _insert_once() -> str:
    """Return the statement that claims an idempotency key, inserts a check and stores the response.

    Complete, with the columns left out::

        WITH turn AS (SELECT pg_try_advisory_xact_lock(...) AS granted),
             claimed AS (SELECT turn.granted, turn.granted AND k.key IS NULL AS is_first, k.request_hash, ...
                           FROM turn LEFT JOIN idempotency_keys k ON ...),
             effect AS (INSERT INTO checks (...) SELECT ... FROM claimed WHERE is_first
                        ON CONFLICT (number) DO NOTHING RETURNING 1),
             stored AS (INSERT INTO idempotency_keys (...) SELECT ... FROM effect)
        SELECT claimed.*, EXISTS (SELECT 1 FROM effect) AS inserted FROM claimed

    Nothing is inserted if the key was used, is being used, or the number is taken.
    """
    return f"""
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
    """


_INSERT_ONCE = text(_insert_once())

_SAVE_DECISION = text(f"""
    WITH {outbox.WRITTEN}
    UPDATE checks
       SET status = :status, closes_at = :closes_at, next_try_at = NULL
     WHERE check_id = :check_id AND status = 'pending'
""")


def _save_end(*, stores_response: bool) -> str:
    """Return the statement that ends an active check and writes its event; optionally it stores the response too.

    Complete, with the columns left out; the parts ``effect`` and ``stored`` only with ``stores_response``, where the
    transaction has claimed the key before::

        WITH written AS (INSERT INTO outbox (...) SELECT ... FROM jsonb_to_recordset(:events) ...),
             effect AS (UPDATE checks SET status = ..., acceptor_id = ..., closes_at = ...
                         WHERE check_id = ... AND status = 'active' RETURNING 1),
             stored AS (INSERT INTO idempotency_keys (...) SELECT ... FROM effect)
        SELECT 1 FROM effect
    """
    update = """
        UPDATE checks
           SET status = :status, acceptor_id = :acceptor_id, closes_at = :closes_at
         WHERE check_id = :check_id AND status = 'active'
    """
    if not stores_response:
        return f"WITH {outbox.WRITTEN} {update}"
    return f"WITH {outbox.WRITTEN}, effect AS ({update} RETURNING 1), {idempotency.STORED} SELECT 1 FROM effect"


_SAVE_END = text(_save_end(stores_response=False))
_SAVE_END_ONCE = text(_save_end(stores_response=True))

_LOCK_DUE = text(f"""
    SELECT {COLUMNS} FROM checks
     WHERE status = 'active' AND closes_at <= :now
     ORDER BY closes_at
     LIMIT :limit
       FOR UPDATE SKIP LOCKED
""")

_SAVE_EXPIRED = text("""
    UPDATE checks SET status = :status WHERE check_id = ANY(CAST(:check_ids AS uuid[])) AND status = 'active'
""")

_CLAIM_LEASE: Final = """
    UPDATE checks
       SET tries = tries + 1,
           next_try_at = CAST(:now AS timestamptz)
                         + make_interval(secs => LEAST(:max_delay, :delay * power(2, LEAST(tries, 20))))
"""
# A lease never ends later than in 2 minutes. One that does was written by a process whose clock was ahead; ignore it.
_IS_DUE: Final = "(next_try_at <= :now OR next_try_at > CAST(:now AS timestamptz) + interval '2 minutes')"
_CLAIM_ONE_LEASE = text(f"""
    {_CLAIM_LEASE} WHERE check_id = :check_id AND status = 'pending' AND {_IS_DUE}
    RETURNING {COLUMNS}
""")
_CLAIM_DUE_LEASES = text(f"""
    {_CLAIM_LEASE} WHERE check_id IN (SELECT check_id FROM checks
                                        WHERE status = 'pending' AND {_IS_DUE}
                                        ORDER BY next_try_at
                                        LIMIT :limit
                                          FOR UPDATE SKIP LOCKED)
    RETURNING {COLUMNS}
""")

_RELEASE_LEASES = text("""
    UPDATE checks SET tries = GREATEST(tries - 1, 0), next_try_at = :now
     WHERE check_id = ANY(CAST(:check_ids AS uuid[])) AND status = 'pending'
""")

_UNDECIDED = text("""
    SELECT count(*) AS checks, min(created_at) AS oldest_created_at, max(tries) AS most_tries
      FROM checks WHERE status = 'pending' AND created_at <= :created_before
""")


@dataclass(frozen=True, slots=True)
class Undecided:
    """Checks that are still pending after a long time: their number, the oldest one, and the most attempts of one."""

    checks: int
    oldest_created_at: datetime
    most_tries: int


def insert_pending(tx: Connection, check: Check) -> bool:
    """Insert a new check; return False if its number is taken."""
    parameters = {name: getattr(check, name) for name in Check.__slots__}
    return tx.execute(_INSERT, parameters).rowcount == 1


def insert_pending_once(
    tx: Connection, check: Check, key: IdempotencyKey, response: ResponseToStore
) -> tuple[StoredAnswer | None, bool]:
    """Insert a new check and its response in one statement; ``tx`` is in autocommit.

    Return the stored response if the key was used before, and whether the check was inserted: not if it was used, or
    if the number is taken. Raises RequestInProgress and IdempotencyKeyReused.
    """
    parameters = {name: getattr(check, name) for name in Check.__slots__}
    with idempotency.first_wins():
        row = tx.execute(
            _INSERT_ONCE, {**parameters, **idempotency.claiming(key), **idempotency.storing(key, *response)}
        ).one()
    return idempotency.first_answer(row, key), row.inserted


def save_decision(tx: Connection, check: Check) -> None:
    """Save that a pending check is active, with its event, or rejected.

    No effect on a decided one: the decision was the same, and the event has the same id.
    """
    events = [check.created_event()] if check.status is CheckStatus.ACTIVE else []
    decision = {"check_id": check.check_id, "status": check.status.value, "closes_at": check.closes_at}
    tx.execute(_SAVE_DECISION, {**decision, **outbox.bindings(events, delay_seconds=0)})


def save_end(
    tx: Connection,
    check: Check,
    event: Event,
    *,
    delay_seconds: float,
    response: tuple[IdempotencyKey, ResponseToStore] | None = None,
) -> None:
    """Save, in one statement, that an active check is used or cancelled, and write its event.

    The caller holds the lock of the check. ``delay_seconds`` is how long the relay waits before it sends the event.
    With ``response``, store it under the key, which this transaction has claimed. Raises RequestInProgress, and
    RuntimeError if the check is no longer active.
    """
    parameters = {
        "check_id": check.check_id,
        "status": check.status.value,
        "acceptor_id": check.acceptor_id,
        "closes_at": check.closes_at,
        **outbox.bindings([event], delay_seconds=delay_seconds),
    }
    if response is None:
        saved = tx.execute(_SAVE_END, parameters).rowcount
    else:
        key, to_store = response
        parameters |= idempotency.claiming(key) | idempotency.storing(key, *to_store)
        with idempotency.first_wins():
            saved = tx.execute(_SAVE_END_ONCE, parameters).rowcount
    if saved != 1:
        raise RuntimeError(f"check {check.check_id} was not locked by its caller: it is no longer active")


def lock_due_checks(tx: Connection, *, now: datetime, limit: int) -> list[Check]:
    """Return and lock up to ``limit`` expired active checks, oldest first; skip those that are locked."""
    return [check_of(row) for row in tx.execute(_LOCK_DUE, {"now": now, "limit": limit}).mappings()]


def save_expired(tx: Connection, checks: Sequence[Check]) -> None:
    """Save that these checks are expired. The caller holds their locks; raises RuntimeError otherwise."""
    saved = tx.execute(
        _SAVE_EXPIRED, {"check_ids": [check.check_id for check in checks], "status": CheckStatus.EXPIRED.value}
    ).rowcount
    if saved != len(checks):
        raise RuntimeError(f"{len(checks) - saved} checks were not locked by the caller: they are no longer active")


def claim_lease(tx: Connection, check_id: UUID, *, now: datetime, delay: float, max_delay: float) -> Check | None:
    """Claim the lease of a pending check, for ``delay`` seconds times 2 per attempt, at most ``max_delay``.

    The holder of the lease asks balance to hold the money. Return None if another process holds the lease, or if the
    check is decided.
    """
    row = (
        tx.execute(_CLAIM_ONE_LEASE, {"check_id": check_id, "now": now, "delay": delay, "max_delay": max_delay})
        .mappings()
        .one_or_none()
    )
    return check_of(row) if row else None


def claim_due_leases(tx: Connection, *, now: datetime, limit: int, delay: float, max_delay: float) -> list[Check]:
    """Claim up to ``limit`` leases that are due, as :func:`claim_lease`; skip checks that are locked."""
    rows = tx.execute(_CLAIM_DUE_LEASES, {"now": now, "limit": limit, "delay": delay, "max_delay": max_delay})
    return [check_of(row) for row in rows.mappings()]


def release_leases(tx: Connection, check_ids: Sequence[UUID], *, now: datetime) -> None:
    """Release leases whose attempt got no response: the attempt does not count, and the next may start at once."""
    tx.execute(_RELEASE_LEASES, {"check_ids": list(check_ids), "now": now})


def undecided(tx: Connection, *, created_before: datetime) -> Undecided | None:
    """Return the checks that have been pending since before ``created_before``, or None."""
    row = tx.execute(_UNDECIDED, {"created_before": created_before}).one()
    return Undecided(row.checks, row.oldest_created_at, row.most_tries) if row.checks else None
