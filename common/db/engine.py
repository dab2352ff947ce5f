"""The database of one process: SQLAlchemy's engine and its bounded pool.

A repository executes ``sqlalchemy.text`` on the ``sqlalchemy.Connection`` that it is given. ``transaction()`` is for a
use case of several statements. ``autocommit()`` is for a use case of one statement, which then is its own transaction:
one round trip instead of two.
"""

import select
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, Self

from pydantic import SecretStr
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.exc import DisconnectionError

from common.core.settings import DatabaseSettings
from common.db.driver import LeanConnection

#: How long a statement waits for a row lock before it gives up and the caller is told to come back.
LOCK_TIMEOUT_MS: Final = 2_000
IDLE_IN_TRANSACTION_TIMEOUT_MS: Final = 15_000


class Database:
    """One PostgreSQL database, seen through a bounded pool of connections."""

    def __init__(self, url: str, *, settings: DatabaseSettings, application_name: str) -> None:
        """``url`` is ``postgresql+psycopg2://...``; no connection is made until the first use."""
        statement_timeout_ms = round(settings.database_statement_timeout_seconds * 1000)
        self._engine = create_engine(
            url,
            pool_size=settings.database_pool_size,
            max_overflow=0,
            pool_timeout=settings.database_pool_timeout_seconds,
            pool_recycle=1800,
            # Statements are transactions of their own except on the connections of ``transaction()``.
            isolation_level="AUTOCOMMIT",
            # Parameters may be secret.
            hide_parameters=True,
            # Would look for the type of an extension that is not used, in each new connection.
            use_native_hstore=False,
            connect_args={
                "connection_factory": LeanConnection,
                "connect_timeout": 3,
                "application_name": application_name,
                "options": (
                    f"-c timezone=UTC -c statement_timeout={statement_timeout_ms} -c lock_timeout={LOCK_TIMEOUT_MS}"
                    f" -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_TIMEOUT_MS}"
                ),
            },
        )
        #: The same pool; its connections begin transactions.
        self._transactional = self._engine.execution_options(isolation_level="READ COMMITTED")
        event.listen(self._engine, "connect", _register_poller)
        event.listen(self._engine, "checkout", _refuse_dead_connection)

    @classmethod
    def of(cls, url: SecretStr, settings: DatabaseSettings, application_name: str) -> Self:
        """Create the database of a process; no connection is made until the first use."""
        return cls(url.get_secret_value(), settings=settings, application_name=application_name)

    def transaction(self) -> AbstractContextManager[Connection]:
        """Return a block in one READ COMMITTED transaction: committed at its end, rolled back on any exception.

        It costs one round trip more than its statements: BEGIN travels with the first of them.
        """
        return self._transactional.begin()

    def autocommit(self) -> Connection:
        """Return a block of which each statement is a transaction of its own."""
        return self._engine.connect()

    @property
    def url(self) -> str:
        """The URL of the database with its password; do not log it."""
        return self._engine.url.render_as_string(hide_password=False)

    def ping(self) -> None:
        """Raise a DBAPIError if the database does not respond."""
        with self.autocommit() as tx:
            tx.execute(text("SELECT 1"))

    @contextmanager
    def listen(self, channel: str) -> Iterator[Any]:
        """A psycopg2 connection outside of the pool that listens on ``channel`` (LISTEN/NOTIFY)."""
        connection = self._engine.raw_connection()
        raw: Any = connection.driver_connection
        connection.detach()
        try:
            raw.set_session(autocommit=True)
            with raw.cursor() as cursor:
                cursor.execute(f'LISTEN "{channel}"')
            yield raw
        finally:
            raw.close()

    def dispose(self) -> None:
        """Close the idle connections."""
        self._engine.dispose()


def _register_poller(connection: Any, record: Any) -> None:
    record.info["poller"] = poller = select.poll()
    poller.register(connection.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)


def _refuse_dead_connection(connection: Any, record: Any, _proxy: object) -> None:
    """Notice, without a round trip, that the server has closed an idle connection.

    PostgreSQL never speaks first to an idle client, save to say goodbye: a readable socket is a dead one.
    SQLAlchemy answers DisconnectionError with a fresh connection.
    """
    if connection.closed or record.info["poller"].poll(0):
        raise DisconnectionError("the server closed this connection while it was idle")
