"""A circuit breaker: a bank that does not answer is left alone for a while, and nobody waits for it."""

import threading
import time
from collections.abc import Callable


class CircuitBreaker:
    """Opens after ``failures`` failures in a row; after ``seconds`` one call may try, and closes or reopens it."""

    def __init__(self, *, failures: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = failures
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._opened_at: float | None = None

    def allows(self) -> bool:
        """Whether a call may be made now. While open, one caller per interval is let through as a probe."""
        with self._lock:
            if self._opened_at is None:
                return True
            if self._clock() - self._opened_at < self._seconds:
                return False
            # The probe's outcome decides. Until it is known, or lost with its thread, the others wait once more.
            self._opened_at = self._clock()
            return True

    def succeeded(self) -> None:
        """The bank answered."""
        with self._lock:
            self._failures = 0
            self._opened_at = None

    def failed(self) -> None:
        """The bank did not answer, or not sensibly."""
        with self._lock:
            self._failures += 1
            if self._failures >= self._limit:
                self._opened_at = self._clock()
