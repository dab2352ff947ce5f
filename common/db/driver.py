"""The psycopg2 connection under SQLAlchemy: no round trip that says nothing.

psycopg2 by itself sends BEGIN alone, and sends a SET whenever SQLAlchemy changes between transactions and
autocommit. Here the connection is always in autocommit as far as psycopg2 knows, a transaction is begun in the same
message as its first statement, and it is ended by a COMMIT or ROLLBACK of ours.
"""

from typing import Any, Final

from psycopg2.extensions import TRANSACTION_STATUS_IDLE, connection, cursor

_BEGIN: Final = "BEGIN; "


class LeanConnection(connection):
    """For ``connection_factory``. Transactions are READ COMMITTED, the server's default."""

    def __init__(self, dsn: str, *options: Any) -> None:
        super().__init__(dsn, *options)
        self.autocommit = True
        self.cursor_factory = LeanCursor
        #: The next statement is the first of a transaction.
        self.begins = False

    def commit(self) -> None:
        """End the transaction, if anything was done in it."""
        self._end("COMMIT")

    def rollback(self) -> None:
        """Take the transaction back, if anything was done in it. Called whenever SQLAlchemy lets a connection go."""
        self._end("ROLLBACK")

    def _end(self, command: str) -> None:
        self.begins = False
        # libpq knows from the server's answers whether a transaction is open; asking it is no round trip.
        if self.closed or self.get_transaction_status() != TRANSACTION_STATUS_IDLE:
            with self.cursor() as ending:
                ending.execute(command)


class LeanCursor(cursor):
    """For ``cursor_factory``: the first statement of a transaction takes its BEGIN along."""

    connection: LeanConnection

    def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002  the name that psycopg2 gives it
        if self.connection.begins:
            self.connection.begins = False
            query = _BEGIN + query
        super().execute(query, vars)
