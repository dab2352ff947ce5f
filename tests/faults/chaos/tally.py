"""What has happened so far, counted: for the screen, the report and the picture."""

import threading
import time
from collections import Counter


class Tally:
    """Counts of all clients together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: Finished operations by kind and how they ended.
        self.operations: Counter[tuple[str, str]] = Counter()
        #: Single requests by what came back: a status, or "no answer".
        self.requests: Counter[str] = Counter()
        #: Finished operations, and requests without an answer or with one that decides nothing, by second.
        self.finished_at: Counter[int] = Counter()
        self.unanswered_at: Counter[int] = Counter()

    def request(self, outcome: str, *, decides: bool) -> None:
        """A request was answered, or not."""
        with self._lock:
            self.requests[outcome] += 1
            if not decides:
                self.unanswered_at[int(time.time())] += 1

    def operation(self, kind: str, outcome: str) -> None:
        """An operation is over for its client."""
        with self._lock:
            self.operations[kind, outcome] += 1
            self.finished_at[int(time.time())] += 1

    @property
    def total(self) -> int:
        return sum(self.operations.values())

    @property
    def moving(self) -> int:
        """Operations that were to move money: all but looking and signing in."""
        return sum(count for (kind, _), count in self.operations.items() if kind not in ("look", "sign in"))
