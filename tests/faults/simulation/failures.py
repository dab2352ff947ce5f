"""Transient failures of a transaction: lost connection, conflict, deadlock, lock time-out, unavailable database.

The services see the same errors as of real failures. The transaction is rolled back before another actor runs.
"""

from typing import Any, Final

import psycopg2
from psycopg2 import errors

#: The connection is lost before the statement has reached the server.
LOST: Final = "lost"
#: The connection is lost after the statement: a commit has happened, and its client does not learn of it.
UNHEARD: Final = "unheard"
#: The server aborts the transaction because of a concurrent one.
CONFLICT: Final = "conflict"

#: The database is unavailable to this actor from now on.
AWAY: Final = "away"

#: Failures of an actor at a statement or a commit.
FAILURES: Final = (LOST, UNHEARD, CONFLICT, AWAY)
GATES: Final = frozenset({"statement", "commit"})

#: Reasons to cancel a statement that waits for a lock.
DEADLOCK: Final = "deadlock"
TIME_OUT: Final = "time-out"

_OF_SERVER: Final[dict[str, type[psycopg2.Error]]] = {
    CONFLICT: errors.SerializationFailure,
    DEADLOCK: errors.DeadlockDetected,
    TIME_OUT: errors.LockNotAvailable,
}
_CODES: Final = {CONFLICT: "40001", DEADLOCK: "40P01", TIME_OUT: "55P03"}


def error_of(failure: str) -> psycopg2.Error:
    """Return the error that psycopg2 raises."""
    if failure not in _OF_SERVER:
        return psycopg2.OperationalError("server closed the connection unexpectedly")
    error: Any = _OF_SERVER[failure](f"simulated: {failure}")
    error.__setstate__({"pgcode": _CODES[failure]})
    made: psycopg2.Error = error
    return made
