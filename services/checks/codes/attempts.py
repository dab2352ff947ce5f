"""Verification of attempts: each is verified and counted under the lock of its check."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from common.core.errors import BusinessError
from common.core.security_log import SecurityLog
from services.checks import errors, log_events
from services.checks.codes import repository
from services.checks.codes.repository import Allowance, Locked
from services.checks.codes.vault import CodeUnreadable
from services.checks.context import Context
from services.checks.models import Attempt, Check, CheckStatus, FreezePolicy, seconds_until

security_log = SecurityLog(__name__)


#: Number of consecutive wrong codes that freezes a check.
FREEZE_AFTER_WRONG_CODES: Final = 5
#: Duration of the first freeze of a check. Each further freeze takes twice as long.
FREEZE_SECONDS: Final = 900
#: Failed accepts and previews that one user may make within the window.
FAILED_ATTEMPTS_ALLOWED: Final = 20
#: Length of the window in which failed attempts of one user are counted.
FAILED_ATTEMPTS_WINDOW_SECONDS: Final = 3600


def allowance_at(context: Context, at: datetime) -> Allowance:
    """Return how many failed attempts a user and an address may make in the window that ends at an instant."""
    window_start = at - timedelta(seconds=FAILED_ATTEMPTS_WINDOW_SECONDS)
    return Allowance(FAILED_ATTEMPTS_ALLOWED, window_start, context.settings.failed_attempts_per_address)


def verify_attempt(context: Context, tx: Connection, attempt: Attempt, found: Locked) -> Check | BusinessError:
    """Return the active check that the attempt opens, or the refusal, with the failure counted in this transaction.

    ``found`` is the result of ``lock_for_attempt``. A wrong code and an unknown number get the same refusal after the
    same work. Raises CheckFrozen and TooManyAttempts: the code was not compared, so nothing is committed.
    """
    window = timedelta(seconds=FAILED_ATTEMPTS_WINDOW_SECONDS)
    allowance = allowance_at(context, attempt.at)
    exhausted_at, check = found.exhausted_at, found.check
    if exhausted_at is not None:
        raise errors.TooManyAttempts(retry_after_seconds=seconds_until(exhausted_at + window, attempt.at))
    if check is not None and check.is_frozen(attempt.at):
        raise _refusal_while_frozen(check, attempt.at)
    if check is not None and _is_right(context, check, attempt):
        return _refusal_if_ended(check.status_at(attempt.at)) or check
    if check is None:
        context.codes.match_stand_in(attempt.code)
    counted = check and check.count_wrong_code(attempt.at, FreezePolicy(FREEZE_AFTER_WRONG_CODES, FREEZE_SECONDS))
    exhausted_at = repository.record_failure(tx, attempt, allowance, counted)
    if exhausted_at is not None:
        raise errors.TooManyAttempts(retry_after_seconds=seconds_until(exhausted_at + window, attempt.at))
    if counted is not None and counted.is_frozen(attempt.at):
        security_log.warning(log_events.CHECK_FROZEN, check_id=str(counted.check_id), freezes=counted.freezes)
    return errors.CheckNotFound()


def opens(context: Context, attempt: Attempt, check: Check | None) -> bool:
    """Return whether :func:`verify_attempt` would return the check: it is active, not frozen, and the code is right.

    Counts nothing and does the same work for every attempt. An attempt that opens nothing must be verified by
    :func:`verify_attempt`, which also reports unreadable codes.
    """
    if check is None:
        return context.codes.match_stand_in(attempt.code)
    try:
        is_right = context.codes.matches(check.check_id, check.code_ciphertext, attempt.code)
    except CodeUnreadable:
        return False
    return is_right and not check.is_frozen(attempt.at) and check.status_at(attempt.at) is CheckStatus.ACTIVE


def _refusal_while_frozen(check: Check, now: datetime) -> errors.CheckFrozen:
    if check.code_change_required or check.frozen_until is None:
        return errors.CheckFrozen("too many wrong codes: this check is frozen until its creator changes the code")
    return errors.CheckFrozen(retry_after_seconds=seconds_until(check.frozen_until, now))


def _is_right(context: Context, check: Check, attempt: Attempt) -> bool:
    try:
        return context.codes.matches(check.check_id, check.code_ciphertext, attempt.code)
    except CodeUnreadable:
        # The key of an ended check may have been removed. Treat the code as wrong: its status cannot be reported.
        if check.status_at(attempt.at) is CheckStatus.ACTIVE:
            raise
        return context.codes.match_stand_in(attempt.code)


def _refusal_if_ended(status: CheckStatus) -> BusinessError | None:
    match status:
        case CheckStatus.USED:
            return errors.CheckUsed()
        case CheckStatus.EXPIRED:
            return errors.CheckExpired()
        case CheckStatus.CANCELLED:
            return errors.CheckCancelled()
        case _:
            return None
