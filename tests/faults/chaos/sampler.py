"""Looks at the running system once a second: how much money is where, and how much of it is on its way."""

import threading
import time
from dataclasses import asdict, dataclass
from typing import Final

import psycopg2

from tests.faults.chaos.databases import Databases
from tests.faults.chaos.journal import Journal
from tests.support.system import RunningSystem

EVERY_SECONDS: Final = 1.0

_BANK: Final = "SELECT COALESCE(sum(amount_minor), 0) FROM payments WHERE state = 'CONFIRMED'"
_ACTIVE: Final = "SELECT COALESCE(sum(amount_minor), 0) FROM checks WHERE status = 'active' AND expires_at > now()"
_LEDGER: Final = """
    SELECT COALESCE(sum(e.amount_minor) FILTER (WHERE a.kind = 'user'), 0),
           COALESCE(sum(e.amount_minor) FILTER (WHERE a.kind = 'escrow'), 0)
      FROM entries e JOIN accounts a USING (account_id)
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """One look, in minor units. ``at`` is Unix time; None where PostgreSQL did not answer.

    ``paid`` is what the bank has taken, ``users`` and ``escrow`` what the ledger shows, ``active`` what the open
    checks are worth. What the bank has and the ledger has not, and what is in escrow for no open check, is on its way.
    """

    at: float
    paid: int | None = None
    users: int | None = None
    escrow: int | None = None
    active: int | None = None

    @property
    def on_its_way(self) -> int | None:
        if self.paid is None or self.users is None or self.escrow is None or self.active is None:
            return None
        return abs(self.paid - self.users - self.escrow) + abs(self.escrow - self.active)


class Watch(threading.Thread):
    """Takes a sample a second until :meth:`stop`."""

    def __init__(self, system: RunningSystem, journal: Journal) -> None:
        super().__init__(name="watch", daemon=True)
        self._databases = Databases(system)
        self._journal = journal
        self._stop_asked = threading.Event()
        self.samples: list[Sample] = []

    def run(self) -> None:
        while not self._stop_asked.wait(EVERY_SECONDS):
            sample = self._look()
            self.samples.append(sample)
            self._journal.write("sample", **{**asdict(sample), "at": round(sample.at, 3)})
        self._databases.close()

    def stop(self) -> None:
        self._stop_asked.set()
        self.join()

    def _look(self) -> Sample:
        try:
            paid = int(self._databases.rows("sandbox_bank", _BANK)[0][0])
            active = int(self._databases.rows("checks", _ACTIVE)[0][0])
            users, escrow = self._databases.rows("balance", _LEDGER)[0]
        except psycopg2.Error:
            return Sample(time.time())
        return Sample(time.time(), paid, int(users), int(escrow), active)
