"""Whole use cases are run again when PostgreSQL says that only their timing was bad."""

from collections.abc import Callable
from functools import wraps
from typing import Final, ParamSpec, TypeVar

import stamina
from sqlalchemy.exc import DBAPIError

P = ParamSpec("P")
T = TypeVar("T")

SERIALIZATION_FAILURE: Final = "40001"
DEADLOCK_DETECTED: Final = "40P01"
UNIQUE_VIOLATION: Final = "23505"
FOREIGN_KEY_VIOLATION: Final = "23503"


def sqlstate(error: BaseException) -> str | None:
    """The five-character SQLSTATE of a database error (PostgreSQL, appendix A), if it has one."""
    if not isinstance(error, DBAPIError):
        return None
    code: str | None = getattr(error.orig, "pgcode", None)
    return code


def is_conflict(error: Exception) -> bool:
    """True when the transaction was rolled back only because of what ran beside it."""
    return sqlstate(error) in (SERIALIZATION_FAILURE, DEADLOCK_DETECTED)


def retry_on_conflict(use_case: Callable[P, T]) -> Callable[P, T]:
    """Run a use case (which opens its own transaction) again on 40001 and 40P01, a bounded number of times."""
    again = stamina.retry(on=is_conflict, attempts=6, timeout=5.0, wait_initial=0.005, wait_max=0.2, wait_jitter=0.02)(
        use_case
    )

    @wraps(use_case)
    def first_and_again(*args: P.args, **kwargs: P.kwargs) -> T:
        # A conflict is rare, and the machinery of trying again is not free: it is set up when there is one.
        try:
            return use_case(*args, **kwargs)
        except DBAPIError as error:
            if not is_conflict(error):
                raise
        return again(*args, **kwargs)

    return first_and_again
