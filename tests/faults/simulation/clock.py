"""The simulated time: it stands still until the scheduler moves it, for the services and for their databases."""

from datetime import UTC, datetime, timedelta
from typing import Final

from tests.faults.simulation.databases import SimulatedDatabases

#: Whole seconds, so that times that were told to clients are exact.
BEGINNING: Final = datetime(2030, 1, 1, tzinfo=UTC)


class SimulatedClock:
    """What every process of the simulation takes for the time."""

    def __init__(self, databases: SimulatedDatabases) -> None:
        self._databases = databases
        self._now = BEGINNING

    def now(self) -> datetime:
        return self._now

    def seconds(self) -> float:
        """For what measures durations: it takes no time to do anything here."""
        return (self._now - BEGINNING).total_seconds()

    def reset(self) -> None:
        self._now = BEGINNING
        self._databases.set_clock(self._now)

    def advance(self, seconds: int) -> None:
        self._now += timedelta(seconds=seconds)
        self._databases.set_clock(self._now)
