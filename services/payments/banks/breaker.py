"""A circuit breaker: calls to an unresponsive bank fail at once for some time."""

import threading
import time
from collections.abc import Callable


class CircuitBreaker:
    """Opens after ``failures`` consecutive failures; after ``seconds``, one probe closes or reopens it."""

    def __init__(self, *, failures: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = failures
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._opened_at: float | None = None

    def allows(self) -> bool:
        """Return whether a call may be made. While open, one call per interval is allowed as a probe."""
        with self._lock:
            if self._opened_at is None:
                return True
            if self._clock() - self._opened_at < self._seconds:
                return False
            # The probe decides. Until its outcome is known, or if its thread dies, other calls keep failing.
            self._opened_at = self._clock()
            return True

    def succeeded(self) -> None:
        """Record a response of the bank."""
        with self._lock:
            self._failures = 0
            self._opened_at = None

    def failed(self) -> None:
        """Record a missing or invalid response."""
        with self._lock:
            self._failures += 1
            if self._failures >= self._limit:
                self._opened_at = self._clock()
