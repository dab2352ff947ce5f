"""Lets a system complete its work without help: all background processes run until nothing is left to do.

The clock is set ahead for work that waits for its time.
"""

from collections.abc import Iterator
from typing import Final

from tests.faults import checker
from tests.faults.crash_points.system import System

#: Seconds between rounds. Their sum exceeds every lease and delay of the services, and is less than the time in which a
#: top-up can be paid.
CLOCK_STEPS: Final = (0, 75, 75, 300, 600)


def settle(system: System) -> None:
    """Restart dead processes, and run the background until nothing is unfinished or all rounds are over."""
    system.restart_dead()
    for seconds in CLOCK_STEPS:
        system.set_clock_ahead(system.clock_ahead + seconds)
        system.finish("background")
        if not any(unfinished(system)):
            break


def unfinished(system: System) -> Iterator[str]:
    """Yield the work that is not completed."""
    return checker.unfinished(system.books(), system.bank())
