"""A psycopg2 connection that sends BEGIN in the same message as the first statement of a transaction.

psycopg2 sends BEGIN in a round trip of its own, and a SET at each change from autocommit to transactions. This class
uses psycopg2's extension points only: ``connection_factory``, ``cursor_factory`` and the methods that both document for
subclasses. To psycopg2 the connection is always in autocommit.
"""

from typing import Any, Final

from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT, TRANSACTION_STATUS_IDLE, connection, cursor

_BEGIN: Final = "BEGIN; "


class LeanConnection(connection):
    """For ``connection_factory``. Transactions have the isolation level of the server, READ COMMITTED by default."""

    def __init__(self, dsn: str, *options: Any) -> None:
        super().__init__(dsn, *options)
        self.autocommit = True
        self.cursor_factory = LeanCursor
        #: A statement outside of a transaction begins one.
        self.begins = False

    def set_isolation_level(self, level: int | None) -> None:
        """Choose between autocommit and transactions, without a round trip. SQLAlchemy calls this."""
        self.begins = level != ISOLATION_LEVEL_AUTOCOMMIT

    def commit(self) -> None:
        """Commit the open transaction, if any."""
        self._end("COMMIT")

    def rollback(self) -> None:
        """Roll back the open transaction, if any. The pool calls this whenever a connection is returned to it."""
        self._end("ROLLBACK")

    def _end(self, command: str) -> None:
        # libpq knows from the server's responses whether a transaction is open, so this check is no round trip.
        if self.closed or self.get_transaction_status() != TRANSACTION_STATUS_IDLE:
            with self.cursor() as ending:
                ending.execute(command)


class LeanCursor(cursor):
    """For ``cursor_factory``: the first statement of a transaction carries its BEGIN."""

    connection: LeanConnection

    def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002  the name that psycopg2 gives it
        if self.connection.begins and self.connection.get_transaction_status() == TRANSACTION_STATUS_IDLE:
            query = _BEGIN + query
        super().execute(query, vars)
