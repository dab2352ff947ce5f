"""Sample once a second how much money is where and how much is in flight."""

import threading
import time
from dataclasses import asdict, dataclass
from typing import Final

import psycopg2

from tests.faults.chaos.databases import Databases
from tests.faults.chaos.journal import Journal
from tests.support.system import RunningSystem

SAMPLE_SECONDS: Final = 1.0

_BANK: Final = "SELECT COALESCE(sum(amount_minor), 0) FROM payments WHERE state = 'CONFIRMED'"
_ACTIVE: Final = "SELECT COALESCE(sum(amount_minor), 0) FROM checks WHERE status = 'active' AND expires_at > now()"
_LEDGER: Final = """
    SELECT COALESCE(sum(e.amount_minor) FILTER (WHERE a.kind = 'user'), 0),
           COALESCE(sum(e.amount_minor) FILTER (WHERE a.kind = 'escrow'), 0)
      FROM entries e JOIN accounts a USING (account_id)
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample in minor units. ``at`` is Unix time; the values are None without PostgreSQL.

    ``paid``: confirmed at the bank. ``users``, ``escrow``: in the ledger. ``active``: the worth of active checks.
    Money that is at the bank and not in the ledger, or in escrow for no active check, is in flight.
    """

    at: float
    paid: int | None = None
    users: int | None = None
    escrow: int | None = None
    active: int | None = None

    @property
    def in_flight(self) -> int | None:
        if self.paid is None or self.users is None or self.escrow is None or self.active is None:
            return None
        return abs(self.paid - self.users - self.escrow) + abs(self.escrow - self.active)


class Sampler(threading.Thread):
    """Takes a sample every second until :meth:`stop`."""

    def __init__(self, system: RunningSystem, journal: Journal) -> None:
        super().__init__(name="sampler", daemon=True)
        self._databases = Databases(system)
        self._journal = journal
        self._stop_asked = threading.Event()
        self.samples: list[Sample] = []

    def run(self) -> None:
        while not self._stop_asked.wait(SAMPLE_SECONDS):
            sample = self._read()
            self.samples.append(sample)
            self._journal.write("sample", **{**asdict(sample), "at": round(sample.at, 3)})
        self._databases.close()

    def stop(self) -> None:
        self._stop_asked.set()
        self.join()

    def _read(self) -> Sample:
        try:
            paid = int(self._databases.rows("sandbox_bank", _BANK)[0][0])
            active = int(self._databases.rows("checks", _ACTIVE)[0][0])
            users, escrow = self._databases.rows("balance", _LEDGER)[0]
        except psycopg2.Error:
            return Sample(time.time())
        return Sample(time.time(), paid, int(users), int(escrow), active)
