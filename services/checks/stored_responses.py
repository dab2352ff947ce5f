"""Answers that are remembered under idempotency keys, in the transaction that made them true.

What a success said can be told again from the check, of which every part that was shown stays as it is. Only the
code may be changed later, so the ciphertext of the one that was shown is kept. A final refusal is kept by its name.
"""

from collections.abc import Callable
from typing import Final
from uuid import UUID

from common.core.errors import BusinessError
from common.db import idempotency
from common.db.connection import Connection
from common.db.errors import retry_on_conflict
from common.db.idempotency import IdempotencyKey, StoredAnswer
from services.checks import errors, repository
from services.checks.context import Context
from services.checks.models import Result

#: What a use case decides in its transaction: a refusal is committed too, with what was counted.
Decision = Result | BusinessError

#: Status, text and check of an answer, as ``idempotency.store`` takes them.
KeptAnswer = tuple[int, bytes, UUID | None]

_SUCCESS: Final = 200

#: By the name of the class, which is what is kept.
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
    """Run ``decide`` in one transaction, once per key, and give its first answer again after that.

    Raises the refusal that was decided, then or now; and whatever ``decide`` raises, which leaves no trace.
    """
    with context.db.transaction() as tx:
        first = idempotency.claim(tx, key) if key else None
        if first is not None:
            decision = again(context, tx, first)
        else:
            decision = decide(tx)
            if key:
                idempotency.store(tx, key, *kept(decision))
    if isinstance(decision, BusinessError):
        raise decision
    return decision


def kept(decision: Decision) -> KeptAnswer:
    """What is stored of a decision under its key."""
    if isinstance(decision, BusinessError):
        return decision.status, type(decision).__name__.encode(), None
    shown = decision.check.code_ciphertext if decision.code is not None else b""
    return _SUCCESS, shown, decision.check.check_id


def again(context: Context, tx: Connection, first: StoredAnswer) -> Decision:
    """The decision that was kept."""
    if first.subject_id is None:
        return replayed(_FINAL_REFUSALS[first.answer.decode()]())
    code = context.codes.open(first.subject_id, first.answer) if first.answer else None
    return Result(repository.find(tx, first.subject_id), code, replayed=True)


def replayed(refusal: BusinessError) -> BusinessError:
    """The refusal, marked as one that was given before."""
    refusal.replayed = True
    return refusal
