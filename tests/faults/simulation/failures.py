"""What a database does to a transaction when nobody is to blame: it is lost on the way, refused, or given up.

What the code sees of a lost connection is what it would see of a real one. But the server is told first to take the
transaction back, so that this is done before anybody else moves.
"""

from typing import Any, Final

import psycopg2
from psycopg2 import errors

#: The connection breaks before what stands at the gate has reached the server.
LOST: Final = "lost"
#: It breaks after that: what was committed is committed, and nobody is told.
UNHEARD: Final = "unheard"
#: The server takes the transaction back, because of what ran beside it.
CONFLICT: Final = "conflict"

#: The database is away, for as long as this actor works.
AWAY: Final = "away"

#: What may befall an actor that stands before a statement or a commit.
FAILURES: Final = (LOST, UNHEARD, CONFLICT, AWAY)
GATES: Final = frozenset({"statement", "commit"})

#: Why a statement that waits for a lock is given up.
DEADLOCK: Final = "deadlock"
TIME_OUT: Final = "time-out"

_OF_SERVER: Final[dict[str, type[psycopg2.Error]]] = {
    CONFLICT: errors.SerializationFailure,
    DEADLOCK: errors.DeadlockDetected,
    TIME_OUT: errors.LockNotAvailable,
}
_CODES: Final = {CONFLICT: "40001", DEADLOCK: "40P01", TIME_OUT: "55P03"}


def error_of(failure: str) -> psycopg2.Error:
    """What psycopg2 raises of it."""
    if failure not in _OF_SERVER:
        return psycopg2.OperationalError("server closed the connection unexpectedly")
    error: Any = _OF_SERVER[failure](f"simulated: {failure}")
    error.__setstate__({"pgcode": _CODES[failure]})
    made: psycopg2.Error = error
    return made
