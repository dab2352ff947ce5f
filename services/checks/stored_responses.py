"""Responses stored under idempotency keys, in the transaction of the effect that they report.

A success is rebuilt from the check, whose reported fields never change. Only its code may change later, so the
ciphertext of the code that was reported is stored. A final refusal is stored by the name of its class.
"""

from collections.abc import Callable
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from common.core.errors import BusinessError
from common.db import idempotency
from common.db.errors import retry_on_conflict
from common.db.idempotency import IdempotencyKey, StoredAnswer
from services.checks import errors, repository
from services.checks.context import Context
from services.checks.models import Result

#: The outcome of a use case's transaction. A refusal is committed too, together with the counted attempt.
Decision = Result | BusinessError

#: The HTTP status, the encoded response and the check's id, as ``idempotency.store`` takes them.
ResponseToStore = tuple[int, bytes, UUID | None]

_SUCCESS: Final = 200

#: Class name, which is what the database stores -> class.
_FINAL_REFUSALS: Final = {
    error.__name__: error
    for error in (
        errors.CheckNotFound,
        errors.OwnCheckNotFound,
        errors.CheckUsed,
        errors.CheckExpired,
        errors.CheckCancelled,
        errors.CheckAlreadyExpired,
        errors.CheckAlreadyCancelled,
    )
}


@retry_on_conflict
def decide_once(context: Context, key: IdempotencyKey | None, decide: Callable[[Connection], Decision]) -> Result:
    """Run ``decide`` in one transaction, once per key; return its result, or the stored one.

    Raises the refusal that ``decide`` returned, now or for the first request, RequestInProgress and
    IdempotencyKeyReused. An exception from ``decide`` rolls the transaction back, so nothing is stored.
    """
    with context.db.transaction() as tx:
        stored = idempotency.claim(tx, key) if key else None
        if stored is not None:
            decision = from_stored(context, tx, stored)
        else:
            decision = decide(tx)
            if key:
                idempotency.store(tx, key, *response_to_store(decision))
    if isinstance(decision, BusinessError):
        raise decision
    return decision


def response_to_store(decision: Decision) -> ResponseToStore:
    """Return what is stored under the key for this decision."""
    if isinstance(decision, BusinessError):
        return decision.status, type(decision).__name__.encode(), None
    reported_code = decision.check.code_ciphertext if decision.code is not None else b""
    return _SUCCESS, reported_code, decision.check.check_id


def from_stored(context: Context, tx: Connection, stored: StoredAnswer) -> Decision:
    """Rebuild the decision of the first request, marked as replayed.

    Raises CodeUnreadable if no key decrypts the code that was reported.
    """
    if stored.subject_id is None:
        return replayed(_FINAL_REFUSALS[stored.answer.decode()]())
    code = context.codes.open(stored.subject_id, stored.answer) if stored.answer else None
    return Result(repository.find(tx, stored.subject_id), code, replayed=True)


def replayed(refusal: BusinessError) -> BusinessError:
    """Mark the refusal as a replayed response and return it."""
    refusal.replayed = True
    return refusal
