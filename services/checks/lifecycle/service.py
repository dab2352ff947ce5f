"""Use cases of the lifecycle: create, preview, accept, cancel and expire. None calls balance inside a transaction."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import Connection

from common.bus import outbox
from common.contracts.events import Event, event_id
from common.core import trace
from common.core.addresses import address_to_count
from common.core.errors import BusinessError, ServiceUnavailable
from common.core.logging import get_logger
from common.core.money import ACCEPTED_CURRENCIES
from common.db import idempotency
from common.db.errors import retry_on_conflict
from common.db.idempotency import IdempotencyKey, RequestInProgress, StoredAnswer
from services.checks import errors, log_events
from services.checks import repository as checks
from services.checks.clients import UnexpectedResponse
from services.checks.codes import repository as codes
from services.checks.codes.attempts import allowance_at, verify_attempt
from services.checks.codes.repository import Locked
from services.checks.codes.vault import random_code
from services.checks.context import Context
from services.checks.errors import refusal_to_creator
from services.checks.lifecycle import repository
from services.checks.lifecycle.groups import SETTLE_EVENT_DELAY_SECONDS, accept_many, create_many
from services.checks.models import (
    Acceptance,
    Attempt,
    Check,
    CheckStatus,
    Creation,
    Order,
    Result,
    Settled,
    random_number,
)
from services.checks.stored_responses import Decision, decide_once, from_stored, replayed, response_to_store

log = get_logger(__name__)

#: Lifetime of a check whose request has no ``expiresIn``.
DEFAULT_LIFETIME_SECONDS: Final = 7 * 86_400
#: Maximum value of ``expiresIn``.
MAX_LIFETIME_SECONDS: Final = 90 * 86_400
#: Numbers are random among 10^12, so a collision is rare and ten in a row indicate a bug.
_NUMBER_ATTEMPTS: Final = 10
#: The delay before the schedule asks balance about a pending check again. It doubles up to the maximum.
_PENDING_DELAY_SECONDS: Final = 5.0
_PENDING_MAX_DELAY_SECONDS: Final = 60.0


def create_check(context: Context, creator_id: UUID, order: Order, key: IdempotencyKey | None) -> Result:
    """Create a check and hold its money; return it as active, with its code.

    Raises InsufficientFunds, CurrencyNotAccepted, LifetimeNotAccepted, RequestInProgress, and ServiceUnavailable when
    the outcome of the hold is unknown. The check then stays pending until the schedule, or a repeat of the request
    under the same key, decides it.
    """
    _validate(context, order)
    draft = _draft(context, creator_id, order)
    created = context.creations.submit(
        Creation(draft, key, trace.current()),
        partial(create_many, context),
        partial(_create_alone, context, order, draft, key),
    )
    if created.check.status is CheckStatus.PENDING:
        # A group has inserted it, and its hold must be decided alone.
        return Result(_hold_for_request(context, created.check), created.code)
    return created


def _create_alone(context: Context, order: Order, draft: Result, key: IdempotencyKey | None) -> Result:
    created = _insert_pending(context, order, draft, key)
    check = created.check
    if created.replayed and check.status is not CheckStatus.PENDING:
        if check.status is CheckStatus.REJECTED:
            raise replayed(errors.InsufficientFunds())
        return created
    if created.replayed:
        check = _claim_lease(context, check)
    return Result(_hold_for_request(context, check), created.code, replayed=created.replayed)


def _validate(context: Context, order: Order) -> None:
    if order.currency not in ACCEPTED_CURRENCIES:
        raise errors.CurrencyNotAccepted(errors={"currency": f"must be one of {', '.join(ACCEPTED_CURRENCIES)}"})
    shortest, longest = context.settings.min_check_lifetime_seconds, MAX_LIFETIME_SECONDS
    if order.lifetime_seconds is not None and not shortest <= order.lifetime_seconds <= longest:
        raise errors.LifetimeNotAccepted(errors={"expiresIn": f"must be from {shortest} to {longest} seconds"})


def _insert_pending(context: Context, order: Order, draft: Result, key: IdempotencyKey | None) -> Result:
    """Insert a pending check, in one statement and one commit; return the stored result if the key was used before.

    If the number of the draft is taken, insert another check of the same order.
    """
    for _ in range(_NUMBER_ATTEMPTS):
        lease_ends_at = context.clock.now() + timedelta(seconds=context.settings.hold_lease_seconds)
        draft = Result(replace(draft.check, next_try_at=lease_ends_at), draft.code)
        stored = None
        with context.db.autocommit() as tx:
            if key is None:
                inserted = repository.insert_pending(tx, draft.check)
            else:
                stored, inserted = repository.insert_pending_once(tx, draft.check, key, response_to_store(draft))
            decision = from_stored(context, tx, stored) if stored else draft
        if isinstance(decision, BusinessError):
            raise decision
        if stored or inserted:
            return decision
        draft = _draft(context, draft.check.creator_id, order)
    raise RuntimeError(f"{_NUMBER_ATTEMPTS} random numbers for a check were taken")


def _draft(context: Context, creator_id: UUID, order: Order) -> Result:
    now = context.clock.now()
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
    )
    return Result(check, code)


def _claim_lease(context: Context, check: Check) -> Check:
    lease_seconds = context.settings.hold_lease_seconds
    with context.db.autocommit() as tx:
        # No backoff for requests: if this one dies, the next may ask balance as soon as after the first.
        claimed = repository.claim_lease(
            tx, check.check_id, now=context.clock.now(), delay=lease_seconds, max_delay=lease_seconds
        )
    if claimed is None:
        raise RequestInProgress(retry_after_seconds=1)
    return claimed


def _hold_for_request(context: Context, check: Check) -> Check:
    try:
        decided = _hold_and_decide(context, check)
    except ServiceUnavailable:
        log.warning(log_events.HOLD_DEFERRED, check_id=str(check.check_id))
        with context.db.autocommit() as tx:
            repository.release_leases(tx, [check.check_id], now=context.clock.now())
        raise
    if decided.status is CheckStatus.REJECTED:
        raise errors.InsufficientFunds
    return decided


def _hold_and_decide(context: Context, check: Check) -> Check:
    """Hold the money and store the outcome.

    Concurrent calls for one check are harmless: balance gives all of them the same final response.
    """
    held = context.balance.hold(check)
    decided = check.activate() if held else check.reject(context.clock.now())
    with context.db.autocommit() as tx:
        repository.save_decision(tx, decided)
    return decided


def finish_pending_checks(context: Context, limit: int) -> bool:
    """Retry the hold of up to ``limit`` pending checks; return whether another batch may be due.

    Stop at the first unknown outcome and release the remaining leases: a repeat of the creator's request may retry at
    once, and the schedule probes balance once per run.
    """
    with context.db.autocommit() as tx:
        pending = repository.claim_due_leases(
            tx,
            now=context.clock.now(),
            limit=limit,
            delay=_PENDING_DELAY_SECONDS,
            max_delay=_PENDING_MAX_DELAY_SECONDS,
        )
    for position, check in enumerate(pending):
        try:
            decided = _hold_and_decide(context, check)
        except ServiceUnavailable as error:
            deferred = [each.check_id for each in pending[position:]]
            log.warning(log_events.PENDING_CHECKS_DEFERRED, checks=len(deferred), error=repr(error))
            with context.db.autocommit() as tx:
                repository.release_leases(tx, deferred, now=context.clock.now())
            return False
        except UnexpectedResponse:
            log.exception(log_events.HOLD_RESPONSE_UNEXPECTED, check_id=str(check.check_id))
        else:
            log.info(log_events.PENDING_CHECK_DECIDED, check_id=str(check.check_id), status=decided.status.value)
    return len(pending) == limit


def accept_check(
    context: Context, user_id: UUID, number: str, code: str, key: IdempotencyKey | None, *, address: str | None = None
) -> Result:
    """Accept the check for the user, who calls from ``address``, and settle its money.

    Raises CheckNotFound, CheckUsed, CheckExpired, CheckCancelled, CheckFrozen, TooManyAttempts, RequestInProgress and
    IdempotencyKeyReused. An unknown outcome of the settlement is no error: the committed event delivers it.
    """
    attempt = Attempt(user_id, number, code, context.clock.now(), _counted_address(context, address))
    accepted = context.acceptances.submit(
        Acceptance(attempt, key, trace.current()),
        partial(accept_many, context),
        partial(_accept_alone, context, attempt, key),
    )
    result = accepted.result
    if not accepted.is_settled:
        # A replayed request settles too: the first one may have ended before balance received the command.
        _settle_at_once(context, context.balance.settle, result.check, result.check.accepted_event())
    return result


def _accept_alone(context: Context, attempt: Attempt, key: IdempotencyKey | None) -> Settled:
    result = decide_once(context, None, partial(_decide_acceptance, context, attempt, key))
    return Settled(result, is_settled=False)


def _decide_acceptance(context: Context, attempt: Attempt, key: IdempotencyKey | None, tx: Connection) -> Decision:
    """Lock the check, verify the code, and save its end with the event.

    With a key, the statements that lock and save also claim the key and store the response, which saves two round
    trips.
    """
    allowance = allowance_at(context, attempt.at)
    if key is None:
        found: StoredAnswer | Locked = codes.lock_for_attempt(tx, attempt, allowance)
    else:
        found = codes.lock_for_attempt_once(tx, attempt, allowance, key)
    if isinstance(found, StoredAnswer):
        return from_stored(context, tx, found)
    # Read the clock again after a possible wait for the lock. The previous holder used a later time than ``attempt.at``
    # and may have reported the check as expired; accepting it then would contradict that response.
    attempt = replace(attempt, at=context.clock.now())
    verified = verify_attempt(context, tx, attempt, found)
    if isinstance(verified, BusinessError):
        if key is not None:
            idempotency.store(tx, key, *response_to_store(verified))
        return verified
    used = verified.accept(attempt.user_id, attempt.at)
    repository.save_end(
        tx,
        used,
        used.accepted_event(),
        delay_seconds=SETTLE_EVENT_DELAY_SECONDS,
        response=(key, response_to_store(Result(used))) if key else None,
    )
    return Result(used)


def _counted_address(context: Context, address: str | None) -> str | None:
    return address_to_count(address) if address and context.settings.rate_limit_enabled else None


def preview_check(context: Context, user_id: UUID, number: str, code: str, address: str | None = None) -> Check:
    """Return the check that this number and code open. A wrong code counts as for :func:`accept_check`.

    Raises CheckNotFound, CheckUsed, CheckExpired, CheckCancelled, CheckFrozen and TooManyAttempts.
    """
    attempt = Attempt(user_id, number, code, context.clock.now(), _counted_address(context, address))
    return decide_once(context, None, partial(_decide_preview, context, attempt)).check


def _decide_preview(context: Context, attempt: Attempt, tx: Connection) -> Decision:
    found = codes.lock_for_attempt(tx, attempt, allowance_at(context, attempt.at))
    verified = verify_attempt(context, tx, attempt, found)
    return verified if isinstance(verified, BusinessError) else Result(verified)


def cancel_check(context: Context, creator_id: UUID, number: str, key: IdempotencyKey | None) -> Result:
    """Cancel the creator's check and release its money. A cancelled check stays cancelled, which is a success.

    Raises OwnCheckNotFound, CheckUsed, CheckAlreadyExpired, RequestInProgress and IdempotencyKeyReused.
    """
    result = decide_once(context, key, partial(_decide_cancellation, context, creator_id, number))
    _settle_at_once(context, context.balance.release, result.check, result.check.cancelled_event())
    return result


def _decide_cancellation(context: Context, creator_id: UUID, number: str, tx: Connection) -> Decision:
    check = checks.find_own(tx, number, creator_id, lock=True)
    now = context.clock.now()  # after the wait for the lock, as in _decide_acceptance
    if check is not None and check.status is CheckStatus.CANCELLED:
        return Result(check)
    if check is None or check.status_at(now) is not CheckStatus.ACTIVE:
        return refusal_to_creator(check, now)
    cancelled = check.cancel(now)
    repository.save_end(tx, cancelled, cancelled.cancelled_event(), delay_seconds=SETTLE_EVENT_DELAY_SECONDS)
    return Result(cancelled)


def _settle_at_once(context: Context, command: Callable[[Check], None], check: Check, event: Event) -> None:
    """Call balance so that the money is available at once. The committed event guarantees delivery if this fails."""
    try:
        command(check)
    except ServiceUnavailable as error:
        log.warning(log_events.SETTLEMENT_DEFERRED, check_id=str(check.check_id), error=repr(error))
    except UnexpectedResponse:
        log.exception(log_events.SETTLEMENT_REJECTED, check_id=str(check.check_id))
    else:
        context.acknowledger.acknowledge(event_id(event))


@retry_on_conflict
def expire_due_checks(context: Context, batch_size: int) -> int:
    """Expire up to ``batch_size`` checks whose lifetime has ended, each with the event that returns its money.

    Return the number expired; call again while it equals ``batch_size``. The row lock serializes this with accept and
    cancel, so a check ends exactly once.
    """
    now = context.clock.now()
    with context.db.transaction() as tx:
        due = repository.lock_due_checks(tx, now=now, limit=batch_size)
        if due:
            expired = [check.expire(now) for check in due]
            repository.save_expired(tx, expired)
            outbox.add_all(tx, [check.expired_event() for check in expired])
    return len(due)
