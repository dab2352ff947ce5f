"""Counts what a request asks of PostgreSQL, from the server's own log: round trips, and commits that wrote."""

import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from benchmarks.system import System

#: How long the last lines may take to reach the file, and the acknowledgements of a batch to be written.
_SETTLE_SECONDS: Final = 0.6
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
    system.rows("postgres", "ALTER SYSTEM SET log_statement = 'all'")
    system.rows("postgres", "SELECT pg_reload_conf()")
    time.sleep(_SETTLE_SECONDS)
    try:
        yield
        time.sleep(_SETTLE_SECONDS)
    finally:
        system.rows("postgres", "ALTER SYSTEM RESET log_statement")
        system.rows("postgres", "SELECT pg_reload_conf()")


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
