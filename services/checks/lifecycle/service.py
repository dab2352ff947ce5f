"""Use cases in the life of a check. None holds a transaction open while it talks to balance."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final
from uuid import UUID, uuid4

from common.bus import outbox
from common.contracts.events import Event, event_id
from common.core.errors import BusinessError, ServiceUnavailable
from common.core.logging import get_logger
from common.db import idempotency
from common.db.connection import Connection
from common.db.errors import retry_on_conflict
from common.db.idempotency import IdempotencyKey, RequestInProgress, StoredAnswer
from services.checks import errors
from services.checks import repository as checks
from services.checks.clients import UnexpectedAnswer
from services.checks.codes import repository as codes
from services.checks.codes.attempts import allowance_at, judge
from services.checks.codes.repository import Locked
from services.checks.codes.vault import random_code
from services.checks.context import Context
from services.checks.errors import refusal_to_creator
from services.checks.lifecycle import repository
from services.checks.models import (
    Attempt,
    Check,
    CheckStatus,
    Order,
    Result,
    random_number,
)
from services.checks.stored_responses import Decision, again, decide_once, kept, replayed

log = get_logger(__name__)

#: Lifetime of a check whose request has no ``expiresIn``.
DEFAULT_LIFETIME_SECONDS: Final = 7 * 86_400
#: Delay of the event of a check that is being settled by a direct call.
SETTLE_EVENT_DELAY_SECONDS: Final = 5.0
#: Maximum value of ``expiresIn``.
MAX_LIFETIME_SECONDS: Final = 90 * 86_400
#: With a million million numbers one taken is rare, and ten in a row are a bug.
_NUMBER_TRIES: Final = 10
#: Balance is asked again about a check that it did not decide after this delay, then twice as long, up to the second.
_PENDING_DELAY_SECONDS: Final = 5.0
_PENDING_MAX_DELAY_SECONDS: Final = 60.0


def create_check(context: Context, creator_id: UUID, order: Order, key: IdempotencyKey | None) -> Result:
    """A new active check with its code, its money held.

    Raises InsufficientFunds, CurrencyNotAccepted, LifetimeNotAccepted; ServiceUnavailable when balance did not
    say: then the check stays pending and is decided later, by the schedule or by a repeat under the same key.
    """
    _must_be_acceptable(context, order)
    begun = _write_pending(context, creator_id, order, key)
    check = begun.check
    if begun.replayed and check.status is not CheckStatus.PENDING:
        if check.status is CheckStatus.REJECTED:
            raise replayed(errors.InsufficientFunds())
        return begun
    if begun.replayed:
        check = _take_turn(context, check)
    return Result(_ask_for_user(context, check), begun.code, replayed=begun.replayed)


def _must_be_acceptable(context: Context, order: Order) -> None:
    settings = context.settings
    if order.currency not in settings.currencies:
        raise errors.CurrencyNotAccepted(errors={"currency": f"must be one of {', '.join(settings.currencies)}"})
    shortest, longest = settings.min_check_lifetime_seconds, MAX_LIFETIME_SECONDS
    if order.lifetime_seconds is not None and not shortest <= order.lifetime_seconds <= longest:
        raise errors.LifetimeNotAccepted(errors={"expiresIn": f"must be from {shortest} to {longest} seconds"})


def _write_pending(context: Context, creator_id: UUID, order: Order, key: IdempotencyKey | None) -> Result:
    """One statement and one commit, with the client's key or without."""
    for _ in range(_NUMBER_TRIES):
        draft = _draft(context, creator_id, order)
        first = None
        with context.db.autocommit() as tx:
            if key is None:
                inserted = repository.insert_pending(tx, draft.check)
            else:
                first, inserted = repository.insert_pending_once(tx, draft.check, key, kept(draft))
            decision = again(context, tx, first) if first else draft
        if isinstance(decision, BusinessError):
            raise decision
        if first or inserted:
            return decision
    raise RuntimeError("no free number was found for a check")


def _draft(context: Context, creator_id: UUID, order: Order) -> Result:
    settings, now = context.settings, context.clock.now()
    lifetime = order.lifetime_seconds or DEFAULT_LIFETIME_SECONDS
    check_id, code = uuid4(), random_code()
    expires_at = now + timedelta(seconds=lifetime)
    check = Check(
        check_id=check_id,
        number=random_number(),
        creator_id=creator_id,
        acceptor_id=None,
        amount_minor=order.amount_minor,
        currency=order.currency,
        note=order.note,
        code_ciphertext=context.codes.seal(check_id, code),
        status=CheckStatus.PENDING,
        created_at=now,
        expires_at=expires_at,
        closes_at=expires_at,
        next_try_at=now + timedelta(seconds=settings.hold_turn_seconds),
    )
    return Result(check, code)


def _take_turn(context: Context, check: Check) -> Check:
    turn = context.settings.hold_turn_seconds
    with context.db.autocommit() as tx:
        # However often its user has asked: should this request die, the next turn comes as soon as after the first.
        taken = repository.take_pending(tx, check.check_id, now=context.clock.now(), delay=turn, max_delay=turn)
    if taken is None:
        raise RequestInProgress(retry_after_seconds=1)
    return taken


def _ask_for_user(context: Context, check: Check) -> Check:
    try:
        decided = _ask_for_money(context, check)
    except ServiceUnavailable:
        log.warning("check stays pending", check_id=str(check.check_id))
        with context.db.autocommit() as tx:
            repository.give_pending_back(tx, [check.check_id], now=context.clock.now())
        raise
    if decided.status is CheckStatus.REJECTED:
        raise errors.InsufficientFunds
    return decided


def _ask_for_money(context: Context, check: Check) -> Check:
    """Asking twice is asking once: balance's answer for this check is final, so whoever asks writes down the same."""
    held = context.balance.hold(check)
    decided = check.activate() if held else check.reject(context.clock.now())
    with context.db.autocommit() as tx:
        repository.save_decision(tx, decided)
    return decided


def finish_pending_checks(context: Context, limit: int) -> bool:
    """Ask balance again about a batch of checks that were left pending; returns whether to go on with another.

    Stops when balance does not answer. What it did not speak of is due again at once: its users may repeat their
    requests, and the schedule asks once per run whether balance is back.
    """
    with context.db.autocommit() as tx:
        pending = repository.take_due_pending(
            tx,
            now=context.clock.now(),
            limit=limit,
            delay=_PENDING_DELAY_SECONDS,
            max_delay=_PENDING_MAX_DELAY_SECONDS,
        )
    for place, check in enumerate(pending):
        try:
            decided = _ask_for_money(context, check)
        except ServiceUnavailable as error:
            undecided = [each.check_id for each in pending[place:]]
            log.warning("balance does not answer, checks stay pending", checks=len(undecided), error=repr(error))
            with context.db.autocommit() as tx:
                repository.give_pending_back(tx, undecided, now=context.clock.now())
            return False
        except UnexpectedAnswer:
            log.exception("balance does not decide about a check", check_id=str(check.check_id))
        else:
            log.info("pending check decided", check_id=str(check.check_id), status=decided.status.value)
    return len(pending) == limit


def accept_check(context: Context, user_id: UUID, number: str, code: str, key: IdempotencyKey | None) -> Result:
    """Give the check's money to whoever enters number and code first.

    Raises CheckNotFound, CheckUsed, CheckExpired, CheckCancelled; CheckFrozen and TooManyAttempts. What was
    committed stands, whether or not balance answers: the event brings the money.
    """

    def decide(tx: Connection) -> Decision:
        attempt = Attempt(user_id, number, code, context.clock.now())
        allowance = allowance_at(attempt.at)
        # With a key the claim, and at the end the answer, travel in the statements that are needed anyhow.
        if key is None:
            found: StoredAnswer | Locked = codes.lock_for_attempt(tx, attempt, allowance)
        else:
            found = codes.lock_for_attempt_once(tx, attempt, allowance, key)
        if isinstance(found, StoredAnswer):
            return again(context, tx, found)
        # The lock may have been waited for. Whoever had it meanwhile was judged by a later time than ours, and may
        # have been told that the check has expired: it must not be accepted after that.
        attempt = replace(attempt, at=context.clock.now())
        verdict = judge(context, tx, attempt, found)
        if isinstance(verdict, BusinessError):
            if key is not None:
                idempotency.store(tx, key, *kept(verdict))
            return verdict
        used = verdict.accept(user_id, attempt.at)
        repository.save_end(
            tx,
            used,
            used.accepted_event(),
            delay_seconds=SETTLE_EVENT_DELAY_SECONDS,
            kept=(key, kept(Result(used))) if key else None,
        )
        return Result(used)

    result = decide_once(context, None, decide)
    # For a repeat too: the first time may have ended before balance knew.
    _settle_at_once(context, context.balance.settle, result.check, result.check.accepted_event())
    return result


def preview_check(context: Context, user_id: UUID, number: str, code: str) -> Check:
    """The check that this number and code would open; a wrong code counts as it does for accepting."""
    return decide_once(context, None, lambda tx: _look(context, tx, user_id, number, code)).check


def _look(context: Context, tx: Connection, user_id: UUID, number: str, code: str) -> Decision:
    attempt = Attempt(user_id, number, code, context.clock.now())
    verdict = judge(context, tx, attempt, codes.lock_for_attempt(tx, attempt, allowance_at(attempt.at)))
    return verdict if isinstance(verdict, BusinessError) else Result(verdict)


def cancel_check(context: Context, creator_id: UUID, number: str, key: IdempotencyKey | None) -> Result:
    """Take a check back; one that is cancelled already stays so. Raises OwnCheckNotFound, CheckUsed and
    CheckAlreadyExpired.
    """

    def decide(tx: Connection) -> Decision:
        check = checks.find_own(tx, number, creator_id, lock=True)
        now = context.clock.now()  # behind the lock, as in accept_check
        if check is not None and check.status is CheckStatus.CANCELLED:
            return Result(check)
        if check is None or check.status_at(now) is not CheckStatus.ACTIVE:
            return refusal_to_creator(check, now)
        cancelled = check.cancel(now)
        repository.save_end(tx, cancelled, cancelled.cancelled_event(), delay_seconds=SETTLE_EVENT_DELAY_SECONDS)
        return Result(cancelled)

    result = decide_once(context, key, decide)
    _settle_at_once(context, context.balance.release, result.check, result.check.cancelled_event())
    return result


def _settle_at_once(context: Context, command: Callable[[Check], None], check: Check, event: Event) -> None:
    """The command is for speed; the event, which is committed, is for certainty."""
    try:
        command(check)
    except ServiceUnavailable as error:
        log.warning("money is left to the event", check_id=str(check.check_id), error=repr(error))
    except UnexpectedAnswer:
        log.exception("balance contradicts a check", check_id=str(check.check_id))
    else:
        context.acknowledger.acknowledge(event_id(event))


@retry_on_conflict
def expire_due_checks(context: Context, batch_size: int) -> int:
    """Expire checks whose time has passed and promise their money back to the creators.

    Returns the number expired; call again while it equals ``batch_size``. Accepting and expiring meet on the row
    lock, so a check ends exactly once.
    """
    now = context.clock.now()
    with context.db.transaction() as tx:
        due = repository.lock_due_checks(tx, now=now, limit=batch_size)
        if due:
            expired = [check.expire(now) for check in due]
            repository.save_expired(tx, expired)
            outbox.add_all(tx, [check.expired_event() for check in expired])
    return len(due)
