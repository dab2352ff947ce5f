"""Classify database errors, and retry use cases whose transaction conflicted with another.

A *transient error* (a lock time-out, a conflict, a restarting or full server) says nothing about the work itself: the
same work can succeed later. A violated constraint or a value of the wrong type fails each time.
"""

from collections.abc import Callable
from functools import wraps
from typing import Final, ParamSpec, TypeVar

import psycopg2
import stamina
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

P = ParamSpec("P")
T = TypeVar("T")

SERIALIZATION_FAILURE: Final = "40001"
DEADLOCK_DETECTED: Final = "40P01"
UNIQUE_VIOLATION: Final = "23505"
FOREIGN_KEY_VIOLATION: Final = "23503"

#: Transient SQLSTATE classes (PostgreSQL, appendix A): connection exception, transaction rollback (serialization
#: failure, deadlock), insufficient resources (connections, memory, disk), operator intervention (cancelled, shutdown).
_TRANSIENT_CLASSES: Final = ("08", "40", "53", "57")
#: Lock not available; idle-in-transaction and transaction time-outs; a read-only standby before its promotion.
_TRANSIENT_STATES: Final = frozenset({"55P03", "25P03", "25P04", "25006"})


def sqlstate(error: BaseException) -> str | None:
    """Return the five-character SQLSTATE of a database error (PostgreSQL, appendix A), or None if it has none."""
    if not isinstance(error, DBAPIError):
        return None
    code: str | None = getattr(error.orig, "pgcode", None)
    return code


def transient_sqlstate(error: BaseException) -> str | None:
    """Return the SQLSTATE of a transient error, ``none`` if the server sent no SQLSTATE; None for any other error."""
    if isinstance(error, PoolTimeout):
        return "none"
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    # An error that occurs outside of a SQLAlchemy statement is raised as psycopg2's own class.
    cause = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(cause, psycopg2.Error):
        return None
    state: str | None = cause.pgcode
    if state is None:
        return "none" if lost or isinstance(cause, psycopg2.OperationalError | psycopg2.InterfaceError) else None
    return state if lost or state in _TRANSIENT_STATES or state.startswith(_TRANSIENT_CLASSES) else None


def is_transient(error: BaseException) -> bool:
    """Return whether the same work, unchanged, can succeed later."""
    return transient_sqlstate(error) is not None


def is_rolled_back(error: BaseException) -> bool:
    """Return whether the server reported the error on a connection that still works: the transaction had no effect."""
    return isinstance(error, DBAPIError) and not error.connection_invalidated


def is_conflict(error: Exception) -> bool:
    """Return whether the transaction was rolled back because of a concurrent one (40001, 40P01)."""
    return sqlstate(error) in (SERIALIZATION_FAILURE, DEADLOCK_DETECTED)


def retry_on_conflict(use_case: Callable[P, T]) -> Callable[P, T]:
    """Retry a use case, which opens its own transaction, on 40001 and 40P01: at most 6 more attempts within 5 seconds.

    Raises the error of the last attempt.
    """
    retry = stamina.retry(on=is_conflict, attempts=6, timeout=5.0, wait_initial=0.005, wait_max=0.2, wait_jitter=0.02)(
        use_case
    )

    @wraps(use_case)
    def attempt(*args: P.args, **kwargs: P.kwargs) -> T:
        # Conflicts are rare and stamina's set-up costs time, so it is entered only after a first conflict.
        try:
            return use_case(*args, **kwargs)
        except DBAPIError as error:
            if not is_conflict(error):
                raise
        return retry(*args, **kwargs)

    return attempt
