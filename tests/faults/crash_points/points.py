"""What a process does at each point: pass, record it, or die."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tests.faults.crash_points.control import Control, Mode, Passed, Side, Trace

#: Recorded instead of the kind after a point whose effect raised an exception.
FAILED: Final = "failed"
#: Exit status of a killed process, as a shell reports it.
KILLED: Final = 137


class Points:
    """The points of one process. The ordinal of a point is its position in the order of this process."""

    def __init__(self, control: Control, trace: Trace) -> None:
        self._control = control
        self._trace = trace
        self._lock = threading.Lock()
        self._run = 0
        self._passed = 0
        self.role = ""

    @contextmanager
    def passing(self, kind: str, label: str) -> Iterator[None]:
        """Enclose one point. The block must have exactly one external effect."""
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
