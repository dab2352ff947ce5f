"""Reject servers and connection poolers on which a use case would silently lose what it relies on.

PgBouncer in transaction mode is supported: a transaction keeps its server connection, and nothing else is kept between
statements. Statement mode forbids transactions. LISTEN needs a connection without a pooler that shares servers.
"""

import psycopg2
from psycopg2.extensions import connection

_IN_A_TRANSACTION = "BEGIN; SELECT current_user, current_setting('lock_timeout'), current_setting('statement_timeout')"


class UnsupportedServer(Exception):
    """The server or its pooler cannot be used as it is configured; the message says what to change."""


def reject_unsupported_server(new: connection) -> None:
    """Raise UnsupportedServer unless transactions and the settings of the role work on a new connection.

    ``new`` is in autocommit and outside of a transaction. Costs three round trips.
    """
    pooled = is_pooled(new)
    try:
        with new.cursor() as cursor:
            cursor.execute(_IN_A_TRANSACTION)
            role, *timeouts = cursor.fetchone() or ("", "0")
            cursor.execute("COMMIT")
    except psycopg2.OperationalError as error:
        # PgBouncer's reason is in its own log only: it closes the connection.
        if pooled and new.closed:
            raise UnsupportedServer(
                "the connection pooler closes connections that begin a transaction, as in PgBouncer's statement mode:"
                " set pool_mode = transaction"
            ) from error
        raise
    if "0" in timeouts:
        raise UnsupportedServer(
            f"the role {role} has no lock_timeout or no statement_timeout, so a statement could wait without limit:"
            " run `fastcheck provision`, which sets both"
        )


def reject_pooler(new: connection, variable: str) -> None:
    """Raise UnsupportedServer if ``new`` goes through a pooler; ``variable`` names the setting of its URL."""
    if is_pooled(new):
        raise UnsupportedServer(
            "LISTEN does not work through a connection pooler: set"
            f" {variable} to a URL of PostgreSQL itself (postgresql+psycopg2://role:password@host:port/database)"
        )


def is_pooled(new: connection) -> bool:
    """Return whether a connection goes through a pooler.

    A pooler gives its client a process id of its own, because the client has no server process of its own.
    """
    with new.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        row = cursor.fetchone()
    return row is None or row[0] != new.info.backend_pid
