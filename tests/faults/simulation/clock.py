"""The simulated clock of services and databases, which advances only when the scheduler moves it."""

from datetime import UTC, datetime, timedelta
from typing import Final

from tests.faults.simulation.databases import SimulatedDatabases

#: Whole seconds, so that times in responses are exact.
EPOCH: Final = datetime(2030, 1, 1, tzinfo=UTC)


class SimulatedClock:
    """The clock of all processes."""

    def __init__(self, databases: SimulatedDatabases) -> None:
        self._databases = databases
        self._now = EPOCH

    def now(self) -> datetime:
        return self._now

    def seconds(self) -> float:
        """Return the seconds since the start, for code that measures durations."""
        return (self._now - EPOCH).total_seconds()

    def reset(self) -> None:
        self._now = EPOCH
        self._databases.set_clock(self._now)

    def advance(self, seconds: int) -> None:
        self._now += timedelta(seconds=seconds)
        self._databases.set_clock(self._now)
