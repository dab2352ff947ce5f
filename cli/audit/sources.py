"""Read-only views of the services' databases, each at one moment."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import psycopg2
import psycopg2.extensions

from cli import credentials, ports, state
from cli.data_dir import DataDir
from cli.environment import database_url
from cli.failure import LaunchError
from cli.provisioning import AUDITOR_ROLE
from cli.services import AUDITOR

AUDITED: Final = ("checks", "payments", "balance")
ROWS_AT_ONCE: Final = 5_000


class Source:
    """One database in one REPEATABLE READ, READ ONLY transaction: everything read from it is of one moment."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg2.connect(url, application_name="fastcheck-audit", connect_timeout=5)
        self._connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        self._cursors = 0

    def rows(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query whose answer is small."""
        with self._connection.cursor() as cursor:
            cursor.execute(query, parameters or None)
            return cursor.fetchall()

    def stream(self, query: str) -> Iterator[tuple[Any, ...]]:
        """The rows of a query whose answer may be larger than memory."""
        self._cursors += 1
        with self._connection.cursor(name=f"audit_{self._cursors}") as cursor:
            cursor.itersize = ROWS_AT_ONCE
            cursor.execute(query)
            yield from cursor

    def refresh(self) -> None:
        """End the transaction: the next read sees the present."""
        self._connection.rollback()

    def close(self) -> None:
        self._connection.close()


@dataclass(frozen=True, slots=True)
class Sources:
    """The three databases that hold money or decide about it."""

    checks: Source
    payments: Source
    balance: Source

    def refresh(self) -> None:
        """Move all to the present. Those who decide are read before the ledger, which follows them: what is
        decided in the older picture and missing in the newer one is late, and never just unseen."""
        for source in (self.checks, self.payments, self.balance):
            source.refresh()
            source.rows("SELECT 1")


def urls(data_dir: DataDir) -> dict[str, str]:
    """Where to read: ``FASTCHECK_AUDIT_<SERVICE>_DATABASE_URL``, else the system in the data folder."""
    given = {name: os.environ.get(f"FASTCHECK_AUDIT_{name.upper()}_DATABASE_URL", "") for name in AUDITED}
    if all(given.values()):
        return given
    secrets = credentials.load(data_dir)
    port = (data_dir.read_json(ports.FILE) or {}).get("postgres")
    if secrets is None or port is None or not state.now(data_dir).processes:
        raise LaunchError(
            f"No FastCheck runs in {data_dir.path}. Start one with `fastcheck up`, or say where the databases are with"
            " FASTCHECK_AUDIT_CHECKS_DATABASE_URL, ..._PAYMENTS_... and ..._BALANCE_..."
        )
    password = secrets.role_passwords[AUDITOR]
    return {name: given[name] or _auditor_url(name, password, port) for name in AUDITED}


def _auditor_url(service: str, password: str, port: int) -> str:
    own = database_url(AUDITOR_ROLE, password, f"{ports.HOST}:{port}")
    return own.removesuffix(AUDITOR_ROLE) + f"fastcheck_{service}"


@contextmanager
def opened(where: dict[str, str]) -> Iterator[Sources]:
    """Connect to all three; raises LaunchError with a sentence when one cannot be read."""
    with ExitStack() as stack:
        sources = {name: stack.enter_context(_opened(name, where[name])) for name in AUDITED}
        yield Sources(**sources)


@contextmanager
def _opened(name: str, url: str) -> Iterator[Source]:
    try:
        source = Source(url.replace("postgresql+psycopg2://", "postgresql://", 1))
    except psycopg2.OperationalError as error:
        reason = str(error).strip().splitlines()[-1]
        raise LaunchError(f"The audit cannot read the database of {name}: {reason}") from error
    try:
        yield source
    finally:
        source.close()
