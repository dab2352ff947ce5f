"""Counts round trips and writing commits of a request, from PostgreSQL's log."""

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
#: Application names of the processes that serve requests. Schedulers and workers are not counted.
_SERVERS: Final = frozenset({"checks-web", "balance-web", "accounts-web", "payments-web"})
_NOT_WRITING: Final = ("SELECT", "SHOW", "BEGIN", "COMMIT", "ROLLBACK")


@dataclass(frozen=True, slots=True)
class Cost:
    """Averages per operation."""

    round_trips: float
    commits: float


@contextmanager
def _logged(system: System) -> Iterator[None]:
    """Log every statement. A server process writes the line before it executes the statement."""
    _set_logging(system, "SET log_statement = 'all'", "all")
    try:
        yield
    finally:
        _set_logging(system, "RESET log_statement", "none")


def _set_logging(system: System, change: str, expected: str) -> None:
    """Change the setting and wait until an existing connection has it; all others then have it too."""
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
    """Return the costs of the web processes per operation of ``act``, which returns the number of its operations."""
    with _logged(system):
        before = system.postgres_log.stat().st_size
        operations = act()
    text = system.postgres_log.read_bytes()[before:].decode(errors="replace")
    round_trips = commits = 0
    writing: defaultdict[str, bool] = defaultdict(bool)
    within: defaultdict[str, bool] = defaultdict(bool)
    for pid, application, statement in _STATEMENT.findall(text):
        if application not in _SERVERS:
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
    bare = statement.removeprefix("BEGIN; ").strip().upper()
    return bool(bare) and not bare.startswith(_NOT_WRITING)
