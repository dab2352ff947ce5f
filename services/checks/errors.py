"""Business failures of checks."""

from datetime import datetime

from common.core.errors import BusinessError
from services.checks.models import Check, CheckStatus


class CheckNotFound(BusinessError):
    """An unknown number or a wrong code. One response for both, so that no one can find out which numbers exist."""

    status = 404
    code = "check_not_found"
    message = "there is no check with this number and code"


class OwnCheckNotFound(BusinessError):
    """The number is unknown, belongs to another creator, or was never funded. The caller cannot tell which."""

    status = 404
    code = "check_not_found"
    message = "you have no check with this number"


class CheckUsed(BusinessError):
    status = 409
    code = "check_used"
    message = "this check has been accepted already"


class CheckExpired(BusinessError):
    status = 410
    code = "check_expired"
    message = "this check has expired: its money went back to its creator"


class CheckCancelled(BusinessError):
    status = 410
    code = "check_cancelled"
    message = "this check was cancelled by its creator"


class CheckAlreadyExpired(BusinessError):
    """The creator's change of an expired check: a 409, because the creator can see the check and its status."""

    status = 409
    code = "check_expired"
    message = "this check has expired: its money comes back to you"


class CheckAlreadyCancelled(BusinessError):
    status = 409
    code = "check_cancelled"
    message = "this check is cancelled already"


class CheckFrozen(BusinessError):
    """Too many wrong codes in a row on one check: all attempts are rejected for a while."""

    status = 429
    code = "check_frozen"
    message = "too many wrong codes: this check is frozen for a while"


class TooManyAttempts(BusinessError):
    """Too many failed attempts of one user, counted over all checks."""

    status = 429
    code = "too_many_attempts"
    message = "too many failed attempts: try again later"


class InsufficientFunds(BusinessError):
    status = 409
    code = "insufficient_funds"
    message = "not enough money on the balance"


class CurrencyNotAccepted(BusinessError):
    message = "this currency is not accepted here"


class LifetimeNotAccepted(BusinessError):
    message = "a check cannot be valid for so short or so long a time"


def refusal_to_creator(check: Check | None, now: datetime) -> BusinessError:
    """Return why the creator cannot change this check, which is not active; None stands for an unknown check."""
    if check is None:
        return OwnCheckNotFound()
    match check.status_at(now):
        case CheckStatus.USED:
            return CheckUsed()
        case CheckStatus.EXPIRED:
            return CheckAlreadyExpired()
        case _:
            return CheckAlreadyCancelled()
