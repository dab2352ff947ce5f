"""The database of one process: SQLAlchemy's engine and its bounded pool.

A repository executes ``sqlalchemy.text`` on the ``sqlalchemy.Connection`` that it is given. ``transaction()`` is for a
use case of several statements. ``autocommit()`` is for a use case of one statement, which then is its own transaction:
one round trip instead of two.

All of this works through PgBouncer in transaction mode: connections set nothing for their session. Time-outs and the
time zone are settings of the role, which ``fastcheck provision`` makes (``deploy/provisioning.py``).
"""

import os
import select
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from typing import Any, Final, Self

from pydantic import SecretStr
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.pool import NullPool

from common.core.settings import DatabaseSettings
from common.db.driver import LeanConnection
from common.db.poolers import reject_pooler, reject_unsupported_server

#: The setting of ``direct_url``, for error messages.
DIRECT_URL_VARIABLE: Final = "FASTCHECK_<SERVICE>_DIRECT_DATABASE_URL"


class Database:
    """One PostgreSQL database, seen through a bounded pool of connections."""

    def __init__(
        self, url: str, *, settings: DatabaseSettings, application_name: str, direct_url: str | None = None
    ) -> None:
        """``url`` is ``postgresql+psycopg2://...``; no connection is made until the first use.

        ``direct_url`` leads to PostgreSQL itself where ``url`` leads to a pooler in transaction mode.
        """
        self._direct_url = direct_url or url
        self._connect_args: dict[str, Any] = {"connect_timeout": 3, "application_name": application_name}
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
            connect_args={"connection_factory": LeanConnection, **self._connect_args},
        )
        #: The same pool; its connections begin transactions.
        self._transactional = self._engine.execution_options(isolation_level="READ COMMITTED")
        self._is_supported = False
        event.listen(self._engine, "connect", self._reject_unsupported_server)
        event.listen(self._engine, "connect", _register_process_and_poller)
        event.listen(self._engine, "checkout", _refuse_inherited_connection)
        event.listen(self._engine, "checkout", _refuse_dead_connection)

    @classmethod
    def of(
        cls, url: SecretStr, settings: DatabaseSettings, application_name: str, direct_url: SecretStr | None = None
    ) -> Self:
        """Create the database of a process.

        Raises UnsupportedServer at once if the server can be reached; otherwise the first connection raises it.
        """
        direct = direct_url.get_secret_value() if direct_url else None
        database = cls(url.get_secret_value(), settings=settings, application_name=application_name, direct_url=direct)
        with suppress(DBAPIError):
            database.ping()
        return database

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

    def _reject_unsupported_server(self, connection: Any, _record: object) -> None:
        if not self._is_supported:
            reject_unsupported_server(connection)
            self._is_supported = True

    @contextmanager
    def listen(self, channel: str) -> Iterator[Any]:
        """A psycopg2 connection outside of the pool and of any pooler that listens on ``channel`` (LISTEN/NOTIFY).

        Raises UnsupportedServer if the direct URL leads to a pooler.
        """
        engine = create_engine(
            self._direct_url,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            use_native_hstore=False,
            connect_args=self._connect_args,
        )
        with closing(engine.raw_connection()) as connection:
            raw: Any = connection.driver_connection
            reject_pooler(raw, DIRECT_URL_VARIABLE)
            with raw.cursor() as cursor:
                cursor.execute(f'LISTEN "{channel}"')
            yield raw

    def dispose(self) -> None:
        """Close the idle connections."""
        self._engine.dispose()


def _register_process_and_poller(connection: Any, record: Any) -> None:
    record.info["process_id"] = os.getpid()
    record.info["poller"] = poller = select.poll()
    poller.register(connection.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)


def _refuse_inherited_connection(_connection: object, record: Any, proxy: Any) -> None:
    """Leave a connection that was made before a fork to the process that made it.

    If both used it, the statements of one would be part of the other's transaction: what it reports as committed could
    be rolled back. Source: SQLAlchemy, "Using Connection Pools with Multiprocessing or os.fork()". psycopg2 does not
    close the connections of another process.
    """
    if record.info["process_id"] != os.getpid():
        record.dbapi_connection = proxy.dbapi_connection = None
        raise DisconnectionError("another process made this connection")


def _refuse_dead_connection(connection: Any, record: Any, _proxy: object) -> None:
    """Notice, without a round trip, that the server has closed an idle connection.

    PostgreSQL never speaks first to an idle client, save to say goodbye: a readable socket is a dead one.
    SQLAlchemy answers DisconnectionError with a fresh connection.
    """
    if connection.closed or record.info["poller"].poll(0):
        raise DisconnectionError("the server closed this connection while it was idle")
