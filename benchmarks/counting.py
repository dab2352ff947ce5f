"""Counts what a request asks of PostgreSQL, from the server's own log: round trips, and commits that wrote."""

import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from benchmarks.system import System

_POLL_SECONDS: Final = 0.01
_TIMEOUT_SECONDS: Final = 10.0
_STATEMENT: Final = re.compile(r"\[(\d+)\] \S+ (\S+) LOG:  statement: (.*(?:\n\t.*)*)")
#: Who serves requests; schedulers and workers have their own rhythm.
_SERVERS: Final = frozenset({"checks-web", "balance-web", "accounts-web", "payments-web"})
_NOT_WRITING: Final = ("SELECT", "SHOW", "BEGIN", "COMMIT", "ROLLBACK")


@dataclass(frozen=True, slots=True)
class Cost:
    """Per operation."""

    round_trips: float
    commits: float


@contextmanager
def _logged(system: System) -> Iterator[None]:
    """Every statement is in the log: a server process writes its line before it begins the work."""
    _set_logging(system, "SET log_statement = 'all'", "all")
    try:
        yield
    finally:
        _set_logging(system, "RESET log_statement", "none")


def _set_logging(system: System, change: str, expected: str) -> None:
    """All server processes are told by one round of signals: what a connection from before has, the others have."""
    connection = system.database("postgres")
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER SYSTEM {change}")
            cursor.execute("SELECT pg_reload_conf()")
            deadline = time.monotonic() + _TIMEOUT_SECONDS
            cursor.execute("SHOW log_statement")
            while cursor.fetchone() != (expected,):
                if time.monotonic() > deadline:
                    raise RuntimeError("PostgreSQL did not change what it logs")
                time.sleep(_POLL_SECONDS)
                cursor.execute("SHOW log_statement")
    finally:
        connection.close()


def cost_of(system: System, act: Callable[[], int]) -> Cost:
    """What the web processes sent while ``act`` ran, by the number of operations that it says it did."""
    with _logged(system):
        before = system.postgres_log.stat().st_size
        operations = act()
    text = system.postgres_log.read_bytes()[before:].decode(errors="replace")
    round_trips = commits = 0
    writing: defaultdict[str, bool] = defaultdict(bool)
    within: defaultdict[str, bool] = defaultdict(bool)
    for pid, application, statement in _STATEMENT.findall(text):
        # A statement is prepared once per connection, which is no part of the cost of an operation.
        if application not in _SERVERS or statement.startswith("PREPARE"):
            continue
        round_trips += 1
        if statement.startswith("BEGIN"):
            within[pid], writing[pid] = True, False
        wrote = _writes(statement)
        writing[pid] = (writing[pid] and within[pid]) or wrote
        if statement.startswith(("COMMIT", "ROLLBACK")) or not within[pid]:
            commits += writing[pid] and not statement.startswith("ROLLBACK")
            within[pid] = writing[pid] = False
    return Cost(round_trips / max(operations, 1), commits / max(operations, 1))


def _writes(statement: str) -> bool:
    # A prepared statement bears the first word of its text in its name (see common/db/driver.py).
    bare = statement.removeprefix("BEGIN; ").removeprefix("EXECUTE ").strip().upper()
    return bool(bare) and not bare.startswith(_NOT_WRITING)
