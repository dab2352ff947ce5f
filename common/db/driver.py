"""The psycopg2 connection in SQLAlchemy's pool: no round trip that says nothing, and no statement planned twice.

psycopg2 by itself sends BEGIN alone, and a SET at each change between transactions and autocommit. Here the connection
is always in autocommit as far as psycopg2 knows: a transaction starts in the same message as its first statement,
and ended by a COMMIT or ROLLBACK of ours.

To plan one of the ledger's statements costs the server twice what it costs to run it. Those that are marked as
:func:`prepared` are planned once per connection (PREPARE, EXECUTE).
"""

import re
from typing import Any, Final

from psycopg2.extensions import TRANSACTION_STATUS_IDLE, connection, cursor
from sqlalchemy import TextClause, text

_BEGIN: Final = "BEGIN; "
_PLACEHOLDER: Final = re.compile(r"%\((\w+)\)s")
_OPTION: Final = "prepared"


def prepared(sql: str) -> TextClause:
    """Like SQLAlchemy's ``text``, for the statements of the hot paths.

    The server finds out the type of each parameter from where it stands; write ``CAST(:name AS type)`` where it
    cannot, or where the parameter stands in two places of different types.
    """
    return text(sql).execution_options(**{_OPTION: True})


def is_prepared(statement: TextClause) -> bool:
    """Whether a statement was made by :func:`prepared`."""
    return _OPTION in statement.get_execution_options()


class LeanConnection(connection):
    """For ``connection_factory``. Transactions are READ COMMITTED, the server's default."""

    def __init__(self, dsn: str, *options: Any) -> None:
        super().__init__(dsn, *options)
        self.autocommit = True
        self.cursor_factory = LeanCursor
        #: The next statement is the first of a transaction.
        self.begins = False
        #: Statement with ``%(name)s`` in it -> how it is executed here.
        self._prepared: dict[str, str] = {}

    def commit(self) -> None:
        """End the transaction, if anything was done in it."""
        self._end("COMMIT")

    def rollback(self) -> None:
        """Take the transaction back, if anything was done in it. Called whenever a connection goes back to its pool."""
        self._end("ROLLBACK")

    def prepare(self, query: str) -> str:
        """The short form of a statement with ``%(name)s`` in it, which the server is told on first use."""
        short = self._prepared.get(query)
        if short is None:
            # The server's log shows the name: its first word says what kind of statement it is.
            name = f"{query.split(None, 1)[0].lower()}_{len(self._prepared)}"
            places: dict[str, int] = {}
            numbered = _PLACEHOLDER.sub(lambda match: f"${places.setdefault(match[1], len(places) + 1)}", query)
            # A plain cursor: this is no part of a transaction, not even of one that is about to begin.
            with self.cursor(cursor_factory=cursor) as preparing:
                preparing.execute(f"PREPARE {name} AS {numbered.replace('%%', '%')}")
            arguments = ", ".join(f"%({place})s" for place in places)
            short = f"EXECUTE {name} ({arguments})" if places else f"EXECUTE {name}"
            self._prepared[query] = short
        return short

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
