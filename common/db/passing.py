"""Which failures say something of the moment, and nothing of what was to be done.

A lock that somebody holds, a conflict, a server that restarts or is full: the same work succeeds later. A broken
constraint or a value of the wrong type fails for ever.
"""

from typing import Final

import psycopg2
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

#: Classes of SQLSTATE (PostgreSQL, appendix A): connection lost, transaction rolled back (conflict, deadlock),
#: resources used up (connections, memory, disk), an operator's doing (cancelled, shutting down, starting up).
_CLASSES: Final = ("08", "40", "53", "57")
#: Lock not available; waited too long within a transaction, or with one; a standby, which becomes the server in time.
_STATES: Final = frozenset({"55P03", "25P03", "25P04", "25006"})


def passing_state(error: BaseException) -> str | None:
    """The SQLSTATE of a failure of the moment, or ``none`` where the server could say nothing; None for any other."""
    if isinstance(error, PoolTimeout):
        return "none"
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    # What fails before SQLAlchemy has the statement in its hands comes as psycopg2's own.
    cause = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(cause, psycopg2.Error):
        return None
    state: str | None = cause.pgcode
    if state is None:
        return "none" if lost or isinstance(cause, psycopg2.OperationalError | psycopg2.InterfaceError) else None
    return state if lost or state in _STATES or state.startswith(_CLASSES) else None


def is_passing(error: BaseException) -> bool:
    """True when the same work may succeed later, with nothing changed in it."""
    return passing_state(error) is not None
