"""Idempotency keys. The first response is stored in the same transaction as the effect.

A use case claims its key, has its effect and stores its response in one transaction. A concurrent request with the same
key does not wait; it gets ``409 request_in_progress``. A transaction that is rolled back leaves no trace of the key.

The protocol has two forms, which read and write the same rows in the same way:

* :func:`claim` and :func:`store`: two statements around the effect. They are the form for new use cases (top-ups, and
  the transitions of a check outside of the hot path).
* :data:`CLAIMED` and :data:`STORED`: the same two statements as parts of the statement that has the effect. Creating
  and accepting a check use them, which saves two round trips to the database for each. Where requests share a
  transaction, ``services/checks/lifecycle/group_repository.py`` has the parts for many keys at once.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from common.core.errors import BusinessError
from common.db.rights import TableRights

SCHEMA_V1: Final = """
CREATE TABLE idempotency_keys (
    user_id      uuid        NOT NULL,
    operation    text        NOT NULL,
    key          text        NOT NULL,
    request_hash bytea       NOT NULL,
    subject_id   uuid,
    status       smallint    NOT NULL,
    answer       bytea       NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, operation, key)
);
COMMENT ON TABLE idempotency_keys IS 'The first answer to each keyed request, kept for at least a day.';
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);
"""

#: No statement changes a stored response: the purge locks its rows, for which PostgreSQL requires a column.
RIGHTS: Final = TableRights(insert=True, update=("created_at",), delete=True)

#: The header of a replayed response.
REPLAYED_HEADER: Final = "Idempotency-Replayed"

#: Claiming a key as the first part of a larger statement, which goes on where ``is_first``; see :func:`claim`.
#: Executed with :func:`claiming`, and its row is read by :func:`first_answer`.
CLAIMED: Final = """
    key_lock AS (SELECT pg_try_advisory_xact_lock(hashtextextended(:key_scope, 7)) AS granted),
    claimed AS (
        SELECT key_lock.granted, key_lock.granted AND k.key IS NULL AS is_first, k.request_hash,
               k.subject_id AS first_subject_id, k.status AS first_status, k.answer AS first_answer
          FROM key_lock
          LEFT JOIN idempotency_keys k
                 ON k.user_id = :key_user_id AND k.operation = :key_operation AND k.key = :key
    )
"""

#: Storing the response as the last part of a larger statement, for each row of its part ``effect``. Executed with
#: :func:`claiming` and :func:`storing`, within :func:`first_wins`.
STORED: Final = """
    stored AS (
        INSERT INTO idempotency_keys (user_id, operation, key, request_hash, subject_id, status, answer)
        SELECT :key_user_id, :key_operation, :key, :key_request_hash, :key_subject_id, :key_status, :key_answer
          FROM effect
    )
"""

_CLAIM = text(f"WITH {CLAIMED} SELECT * FROM claimed")  # noqa: S608  constants of this module

_STORE = text(f"WITH effect AS (SELECT 1), {STORED} SELECT 1")

_PURGE = text("""
    DELETE FROM idempotency_keys
     WHERE ctid = ANY(ARRAY(SELECT ctid FROM idempotency_keys
                             WHERE created_at < now() - make_interval(hours => :hours)
                             LIMIT :limit FOR UPDATE SKIP LOCKED))
""")


class IdempotencyKeyReused(BusinessError):
    status = 422
    code = "idempotency_key_reused"
    message = "this Idempotency-Key was used with another request: take a new key for a new request"


class RequestInProgress(BusinessError):
    status = 409
    code = "request_in_progress"
    message = "the first request with this Idempotency-Key is still running: repeat it shortly"


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A client's key, scoped to the user and the operation, with the SHA-256 of the request."""

    user_id: UUID
    operation: str
    key: str
    request_hash: bytes

    @classmethod
    def of(cls, user_id: UUID, operation: str, key: str | None, request: bytes) -> "IdempotencyKey | None":
        """Return the key for a request in canonical form, or None if the client sent none."""
        return cls(user_id, operation, key, hashlib.sha256(request).digest()) if key else None


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The stored first response. ``answer`` is as the service stored it (it may be encrypted)."""

    status: int
    answer: bytes
    subject_id: UUID | None


def claim(tx: Connection, key: IdempotencyKey) -> StoredAnswer | None:
    """Claim the key for this transaction; return the stored response if there is one.

    Raises RequestInProgress while another transaction holds the key, IdempotencyKeyReused if it belongs to another
    request.
    """
    return first_answer(tx.execute(_CLAIM, claiming(key)).one(), key)


def claiming(key: IdempotencyKey) -> dict[str, object]:
    """Return the parameters of :data:`CLAIMED`."""
    return {
        "key_scope": f"{key.user_id}|{key.operation}|{key.key}",
        "key_user_id": key.user_id,
        "key_operation": key.operation,
        "key": key.key,
    }


def first_answer(row: Any, key: IdempotencyKey) -> StoredAnswer | None:
    """Return the stored response in a row with the columns of :data:`CLAIMED`, if any; raises as :func:`claim`."""
    if row.request_hash is not None:
        if bytes(row.request_hash) != key.request_hash:
            raise IdempotencyKeyReused
        return StoredAnswer(row.first_status, bytes(row.first_answer), row.first_subject_id)
    if not row.granted:
        raise RequestInProgress
    return None


def store(tx: Connection, key: IdempotencyKey, status: int, answer: bytes, subject_id: UUID | None = None) -> None:
    """Store the response; raises RequestInProgress if another transaction stored one first (roll back then)."""
    with first_wins():
        tx.execute(_STORE, {**claiming(key), **storing(key, status, answer, subject_id)})


def storing(key: IdempotencyKey, status: int, answer: bytes, subject_id: UUID | None = None) -> dict[str, object]:
    """Return the parameters of :data:`STORED`, in addition to those of :func:`claiming`."""
    return {
        "key_request_hash": key.request_hash,
        "key_status": status,
        "key_answer": answer,
        "key_subject_id": subject_id,
    }


@contextmanager
def first_wins() -> Iterator[None]:
    """Raise RequestInProgress if another transaction stored a response between this one's claim and its store."""
    try:
        yield
    except IntegrityError as error:
        if error.orig is None or error.orig.diag.constraint_name != "idempotency_keys_pkey":  # type: ignore[attr-defined]
            raise
        raise RequestInProgress from error


def purge(tx: Connection, *, older_than_hours: int, limit: int) -> int:
    """Delete up to ``limit`` keys older than ``older_than_hours``; return their number."""
    return tx.execute(_PURGE, {"hours": older_than_hours, "limit": limit}).rowcount
