"""Counters for the screen, the report and the timeline."""

import threading
import time
from collections import Counter


class Tally:
    """Counters of all clients."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: Finished operations by kind and outcome.
        self.operations: Counter[tuple[str, str]] = Counter()
        #: Attempts by status, or "no response".
        self.requests: Counter[str] = Counter()
        #: Finished operations, and attempts without a final response, by second.
        self.finished_at: Counter[int] = Counter()
        self.unanswered_at: Counter[int] = Counter()

    def request(self, outcome: str, *, decides: bool) -> None:
        """Count an attempt and whether its response is final."""
        with self._lock:
            self.requests[outcome] += 1
            if not decides:
                self.unanswered_at[int(time.time())] += 1

    def operation(self, kind: str, outcome: str) -> None:
        """Count a finished operation."""
        with self._lock:
            self.operations[kind, outcome] += 1
            self.finished_at[int(time.time())] += 1

    @property
    def total(self) -> int:
        return sum(self.operations.values())

    @property
    def moving(self) -> int:
        """Return the number of operations that move money."""
        return sum(count for (kind, _), count in self.operations.items() if kind not in ("read", "sign in"))
