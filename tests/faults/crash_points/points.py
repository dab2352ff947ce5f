"""What a process does at each point: pass, write it down, or die."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tests.faults.crash_points.control import Control, Mode, Passed, Side, Trace

#: Instead of its kind, behind a point at which nothing was done, because it raised an exception.
FAILED: Final = "failed"
#: As the shell says it of who was killed.
KILLED: Final = 137


class Points:
    """One process. The number of a point is its place in the order in which this process comes by its points."""

    def __init__(self, control: Control, trace: Trace) -> None:
        self._control = control
        self._trace = trace
        self._lock = threading.Lock()
        self._run = 0
        self._passed = 0
        self.role = ""

    @contextmanager
    def passing(self, kind: str, label: str) -> Iterator[None]:
        """The block is the point: it must do the one thing, and nothing else."""
        ordinal = self._next()
        self._at(ordinal, Side.BEFORE, kind, label)
        try:
            yield
        except BaseException:
            self._at(ordinal, Side.AFTER, FAILED, label)
            raise
        self._at(ordinal, Side.AFTER, kind, label)

    def _next(self) -> int:
        with self._lock:
            plan = self._control.plan()
            if plan.run != self._run:
                self._run, self._passed = plan.run, 0
            self._passed += 1
            return self._passed

    def _at(self, ordinal: int, side: Side, kind: str, label: str) -> None:
        plan = self._control.plan()
        if plan.mode is Mode.PASS or plan.run != self._run:
            return
        passed = Passed(plan.run, self.role, ordinal, side, kind, label)
        if plan.mode is Mode.COUNT:
            self._trace.add(passed)
        elif (plan.role, plan.ordinal, plan.side) == (self.role, ordinal, side):
            self._trace.add(passed)
            os._exit(KILLED)
