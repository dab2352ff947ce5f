"""The three databases of a simulation, with the simulated clock as their ``now()``.

They are created once and restored before each seed, so that every seed finds the same rows in the same places, the same
plans and the same numbers.
"""

import os
import signal
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from tests.faults.databases import FIXED_CLOCK, ControlledDatabases, created
from tests.support import databases
from tests.support.servers import Servers

SERVICES: Final = ("balance", "checks", "payments")

# Plans must not depend on durations, on the history of a connection, or on where a row lies.
_SETTINGS: Final = {
    "deadlock_timeout": "3600000",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_hashagg": "off",
    "enable_memoize": "off",
}
#: Lock time-outs are moves of the scheduler. The real ones, in milliseconds, must not expire on a busy machine.
_LONG_TIMEOUTS: Final = dict.fromkeys(
    ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"), 120000
)
_SEQUENCES: Final = """
    SELECT c.relname, pg_get_serial_sequence(c.oid::regclass::text, a.attname)
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attidentity <> ''
     WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
"""
_BLOCKERS: Final = "SELECT pid, pg_blocking_pids(pid) FROM unnest(%s::int[]) AS pid"


class SimulatedDatabases(ControlledDatabases):
    """The databases of one worker process."""

    def __init__(self, servers: Servers, names: Mapping[str, str]) -> None:
        super().__init__(servers, names, FIXED_CLOCK, **_SETTINGS)
        self.urls = {
            service: databases.with_session_settings(databases.url(servers, service, name), **_LONG_TIMEOUTS)
            for service, name in names.items()
        }
        self._stopped: set[int] = set()
        #: Sequences of the tables that migrations leave empty.
        self._sequences: dict[str, list[str]] = {}
        for service, tables in self.tables.items():
            for table in tables:
                self.run(service, f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
            self._sequences[service] = [
                sequence
                for table, sequence in self.rows(service, _SEQUENCES)
                if table in tables and not self.rows(service, f"SELECT 1 FROM {table} LIMIT 1")  # noqa: S608
            ]

    def reset(self) -> None:
        """Restore what the migrations left: rows, their places, and sequences."""
        self.restore("initial")
        for service, tables in self.tables.items():
            for sequence in self._sequences[service]:
                self.run(service, "SELECT setval(%s, 1, false)", sequence)
            for table in tables:
                # Rows of this seed must lie where the rows of another run of it lay.
                self.run(service, f"VACUUM {table}")

    def set_clock(self, at: datetime) -> None:
        """Set what ``now()`` returns in every database."""
        for service in self.connections:
            self.run(service, "UPDATE controlled.clock SET at = %s", at)

    def blockers(self, pids: Iterable[int]) -> dict[int, set[int]]:
        """Return, for each backend that waits for a lock, the backends that hold it."""
        asked = list(pids)
        rows = self.rows("balance", _BLOCKERS, asked) if asked else []
        return {pid: set(blocking) for pid, blocking in rows if blocking}

    def cancel(self, pid: int) -> None:
        """Cancel the statement of a backend."""
        self.rows("balance", "SELECT pg_cancel_backend(%s)", pid)

    def stop(self, pid: int) -> None:
        """Stop a backend that waits for a lock. It sleeps in the lock manager and holds nothing that others need."""
        self._stopped.add(pid)
        os.kill(pid, signal.SIGSTOP)

    def resume(self, pid: int) -> None:
        """Let a stopped backend continue."""
        os.kill(pid, signal.SIGCONT)
        self._stopped.discard(pid)

    def close(self) -> None:
        """Resume all stopped backends, and close the administrator's connections."""
        for pid in list(self._stopped):
            self.resume(pid)
        super().close()


@contextmanager
def simulated_databases(servers: Servers) -> Iterator[SimulatedDatabases]:
    """Create a set of databases, and drop it at the end."""
    with created(servers, SERVICES) as names:
        made = SimulatedDatabases(servers, names)
        try:
            yield made
        finally:
            made.close()
