"""The SQL statements of groups: creating and accepting the checks of concurrent requests, in one statement each.

A request whose row is missing in a result is not regular: its key is used or being used, its check is locked or does
not exist, its number is taken, or its user has no attempts left. It must run alone.
"""

# ruff: noqa: S608  (statements are put together from constants of this module, never from values)

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from common.bus import outbox
from common.contracts.events import Event
from common.db import idempotency
from common.db.idempotency import IdempotencyKey
from services.checks.codes.repository import Allowance
from services.checks.models import Attempt, Check
from services.checks.repository import COLUMNS, check_of
from services.checks.stored_responses import ResponseToStore

#: The columns of an item with a key; see ``_keyed``.
_KEY: Final = """
    key_scope text, key_user_id uuid, key_operation text, key text, key_request_hash text, key_status smallint,
    key_answer text
"""

# Of each item of the group, whether its key is claimed and was not used before. The function must run once per item.
_CLAIMED: Final = """
    claimed AS MATERIALIZED (
        SELECT w.*, CASE WHEN w.key IS NULL THEN true
                         ELSE pg_try_advisory_xact_lock(hashtextextended(w.key_scope, 7)) END AS granted
          FROM wanted w
    ), fresh AS MATERIALIZED (
        SELECT * FROM claimed c
         WHERE c.granted
           AND NOT EXISTS (SELECT 1 FROM idempotency_keys k
                            WHERE k.user_id = c.key_user_id AND k.operation = c.key_operation AND k.key = c.key)
    )
"""

_STORED: Final = """
    stored AS (
        INSERT INTO idempotency_keys (user_id, operation, key, request_hash, subject_id, status, answer)
        SELECT w.key_user_id, w.key_operation, w.key, decode(w.key_request_hash, 'hex'), w.check_id, w.key_status,
               decode(w.key_answer, 'hex')
          FROM wanted w JOIN effect USING (check_id)
         WHERE w.key IS NOT NULL
    )
"""

_INSERT_MANY = text(f"""
    WITH wanted AS (
        SELECT * FROM json_to_recordset(CAST(:items AS json)) AS w
            (check_id uuid, number text, creator_id uuid, amount_minor bigint, currency text, note text,
             code_ciphertext text, status text, created_at timestamptz, expires_at timestamptz, {_KEY})
    ), {_CLAIMED}, effect AS (
        INSERT INTO checks (check_id, number, creator_id, amount_minor, currency, note, code_ciphertext, status,
                            created_at, expires_at, closes_at, next_try_at)
        SELECT check_id, number, creator_id, amount_minor, currency, note, decode(code_ciphertext, 'hex'), status,
               created_at, expires_at, expires_at, CAST(:next_try_at AS timestamptz)
          FROM fresh
        ON CONFLICT (number) DO NOTHING
        RETURNING check_id
    ), {_STORED}
    SELECT check_id FROM effect
""")

_ACTIVATE_MANY = text(f"""
    WITH {outbox.WRITTEN}
    UPDATE checks SET status = 'active', next_try_at = NULL
     WHERE check_id = ANY(CAST(:check_ids AS uuid[])) AND status = 'pending'
""")

_LOCK_MANY = text(f"""
    WITH wanted AS (
        SELECT * FROM json_to_recordset(CAST(:items AS json)) AS w
            (position integer, user_id uuid, address text, number text, {_KEY})
    ), {_CLAIMED}, allowed AS MATERIALIZED (
        SELECT position, number AS wanted_number FROM fresh f
         WHERE NOT EXISTS (SELECT 1 FROM failed_attempts a
                            WHERE a.user_id = f.user_id AND a.attempted_at > :window_start
                           OFFSET :allowed - 1)
           AND NOT EXISTS (SELECT 1 FROM failed_attempts a
                            WHERE a.address = f.address AND a.attempted_at > :window_start
                           OFFSET :allowed_of_address - 1)
    )
    SELECT position, {COLUMNS}
      FROM allowed JOIN checks ON number = wanted_number
     WHERE status NOT IN ('pending', 'rejected')
       FOR UPDATE OF checks SKIP LOCKED
""")

_USE_MANY = text(f"""
    WITH {outbox.WRITTEN}, wanted AS (
        SELECT * FROM json_to_recordset(CAST(:items AS json)) AS w
            (check_id uuid, acceptor_id uuid, closes_at timestamptz, status text, {_KEY})
    ), effect AS (
        UPDATE checks c
           SET status = w.status, acceptor_id = w.acceptor_id, closes_at = w.closes_at
          FROM wanted w
         WHERE c.check_id = w.check_id AND c.status = 'active'
        RETURNING c.check_id
    ), {_STORED}
    SELECT check_id FROM effect
""")


@dataclass(frozen=True, slots=True)
class Draft:
    """A pending check to insert, and the response to store under a key."""

    check: Check
    key: IdempotencyKey | None
    response: ResponseToStore


@dataclass(frozen=True, slots=True)
class Use:
    """A used check to save, its event with the trace of its request, and the response to store under a key."""

    check: Check
    event: Event
    trace: Mapping[str, str]
    key: IdempotencyKey | None
    response: ResponseToStore


def insert_pending_many(tx: Connection, drafts: Sequence[Draft], *, next_try_at: datetime) -> set[UUID]:
    """Insert new checks and their responses; return the ids of the inserted ones. ``tx`` is in autocommit.

    The keys must be distinct. Raises IntegrityError if another transaction stores a response meanwhile.
    """
    items = [
        {
            "check_id": str(draft.check.check_id),
            "number": draft.check.number,
            "creator_id": str(draft.check.creator_id),
            "amount_minor": draft.check.amount_minor,
            "currency": draft.check.currency,
            "note": draft.check.note,
            "code_ciphertext": draft.check.code_ciphertext.hex(),
            "status": draft.check.status.value,
            "created_at": draft.check.created_at.isoformat(),
            "expires_at": draft.check.expires_at.isoformat(),
            **_keyed(draft.key, draft.response),
        }
        for draft in drafts
    ]
    rows = tx.execute(_INSERT_MANY, {"items": json.dumps(items), "next_try_at": next_try_at})
    return {row.check_id for row in rows}


def activate_many(tx: Connection, checks: Sequence[tuple[Check, Mapping[str, str]]]) -> None:
    """Save that pending checks are active, and write their events, each with the trace of its request.

    No effect on a decided one: the decision was the same.
    """
    events = outbox.bindings_traced([(check.created_event(), trace) for check, trace in checks], delay_seconds=0)
    tx.execute(_ACTIVATE_MANY, {"check_ids": [str(check.check_id) for check, _ in checks], **events})


def lock_for_attempts(
    tx: Connection, attempts: Sequence[tuple[Attempt, IdempotencyKey | None]], allowance: Allowance
) -> dict[int, Check]:
    """Claim the keys and lock the checks of regular attempts, without waiting; return the checks by position.

    The numbers and the keys must be distinct.
    """
    items = [
        {
            "position": position,
            "user_id": str(attempt.user_id),
            "address": attempt.address,
            "number": attempt.number,
            **_keyed(key),
        }
        for position, (attempt, key) in enumerate(attempts)
    ]
    rows = tx.execute(
        _LOCK_MANY,
        {
            "items": json.dumps(items),
            "window_start": allowance.window_start,
            "allowed": allowance.allowed,
            "allowed_of_address": allowance.allowed_of_address,
        },
    ).mappings()
    return {row["position"]: check_of(row) for row in rows}


def save_used(tx: Connection, uses: Sequence[Use], *, delay_seconds: float) -> None:
    """Save that active checks are used, and write their events and responses. The caller holds the locks and the keys.

    Raises IntegrityError as :func:`insert_pending_many`, and RuntimeError if a check is no longer active.
    """
    items = [
        {
            "check_id": str(use.check.check_id),
            "acceptor_id": str(use.check.acceptor_id),
            "closes_at": use.check.closes_at.isoformat(),
            "status": use.check.status.value,
            **_keyed(use.key, use.response),
        }
        for use in uses
    ]
    events = outbox.bindings_traced([(use.event, use.trace) for use in uses], delay_seconds=delay_seconds)
    saved = {row.check_id for row in tx.execute(_USE_MANY, {"items": json.dumps(items), **events})}
    if len(saved) != len(uses):
        raise RuntimeError(f"{len(uses) - len(saved)} checks were not locked by the caller: they are no longer active")


def _keyed(key: IdempotencyKey | None, response: ResponseToStore | None = None) -> dict[str, object]:
    """Return the columns of ``_KEY`` as JSON values: identifiers as text, bytes in hexadecimal."""
    if key is None:
        return {}
    columns = idempotency.claiming(key)
    if response is not None:
        columns |= idempotency.storing(key, *response)
    return {
        name: value.hex() if isinstance(value, bytes) else value if isinstance(value, int | None) else str(value)
        for name, value in columns.items()
    }
