"""Read-only snapshots of the services' databases."""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import psycopg2
import psycopg2.extensions

from deploy.auditor import AUDITED, BANK
from deploy.failure import CANNOT_RUN, LaunchError

ROWS_AT_ONCE: Final = 5_000

Row = tuple[Any, ...]
Parameters = Mapping[str, object]


class Source:
    """One database in one REPEATABLE READ, READ ONLY transaction: every query sees the same snapshot."""

    def __init__(self, url: str) -> None:
        self._url = url
        # The settings of the session are those of the role: see AUDITOR_SETTINGS in deploy/provisioning.py.
        self._connection = psycopg2.connect(url, application_name="fastcheck-audit", connect_timeout=5)
        self._connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        self._cursors = 0

    def rows(self, query: str, parameters: Parameters | None = None) -> list[Row]:
        """Return all rows of a query with a small result."""
        with self._connection.cursor() as cursor:
            cursor.execute(query, parameters or {})
            return cursor.fetchall()

    def stream(self, query: str, parameters: Parameters | None = None) -> Iterator[Row]:
        """Iterate over the rows of a query whose result may be larger than memory.

        The database fetches the next batch while the caller processes the current one; the first fetch starts at once.
        """
        self._cursors += 1
        cursor = self._connection.cursor(name=f"audit_{self._cursors}")
        cursor.execute(query, parameters or {})
        ahead = ThreadPoolExecutor(1, thread_name_prefix="audit-fetch")
        return _batches(cursor, ahead, ahead.submit(cursor.fetchmany, ROWS_AT_ONCE))

    def beside(self) -> "Source":
        """Return a second connection with the same snapshot, for parallel queries; valid while this one keeps it."""
        snapshot = self.rows("SELECT pg_export_snapshot()")[0][0]
        other = Source(self._url)
        other._connection.cursor().execute("SET TRANSACTION SNAPSHOT %s", (snapshot,))
        return other

    def cancel(self) -> None:
        """Cancel the query that another thread is waiting for."""
        self._connection.cancel()

    def take_snapshot(self) -> None:
        """Release the snapshot and take a new one."""
        self._connection.rollback()
        self.rows("SELECT 1")

    def close(self) -> None:
        self._connection.close()


def _batches(cursor: Any, ahead: ThreadPoolExecutor, rows: "Future[list[Row]]") -> Iterator[Row]:
    with cursor, ahead:
        while batch := rows.result():
            rows = ahead.submit(cursor.fetchmany, ROWS_AT_ONCE)
            yield from batch


@dataclass(frozen=True, slots=True)
class Sources:
    """The databases that an audit reads. ``bank`` is None if no records of a bank are available."""

    checks: Source
    payments: Source
    balance: Source
    bank: Source | None = None

    def take_snapshot(self) -> None:
        """Take a snapshot of each database: first of the deciding services, then of the ledger.

        A decision in the older snapshot that is missing in the newer one is late; it cannot be merely unseen.
        """
        for source in (self.checks, self.payments, self.balance, self.bank):
            if source is not None:
                source.take_snapshot()


@contextmanager
def opened(where: Mapping[str, str]) -> Iterator[Sources]:
    """Connect to all databases. Raise LaunchError with one line for each that is unreachable."""
    with ExitStack() as stack:
        sources: dict[str, Source] = {}
        closed: list[LaunchError] = []
        for name in (*AUDITED, BANK):
            if url := where.get(name):
                try:
                    sources[name] = stack.enter_context(closing(_connected(name, url)))
                except LaunchError as error:
                    closed.append(error)
        if closed:
            raise LaunchError("\n".join(map(str, closed)), exit_code=CANNOT_RUN)
        yield Sources(**{name: sources[name] for name in AUDITED}, bank=sources.get(BANK))


def _connected(name: str, url: str) -> Source:
    try:
        return Source(url.replace("postgresql+psycopg2://", "postgresql://", 1))
    except psycopg2.Error as error:
        raise could_not_read(f"the database of {name}", error) from error


def could_not_read(what: str, error: psycopg2.Error) -> LaunchError:
    """Return the error for a database that is unreachable or rejects the auditor."""
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return LaunchError(f"The audit cannot read {what}: {reason}", exit_code=CANNOT_RUN)
