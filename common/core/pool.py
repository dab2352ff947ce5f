"""A bounded pool of resources, each of which the caller creates on first use. Safe to share between threads."""

import threading
from collections import deque
from contextlib import suppress
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")


class PoolExhausted(Exception):
    """No slot became free within the time-out."""


class ResourcePool(Generic[T]):
    """A fixed number of slots. A slot holds an idle resource, or None if its resource has not been created yet.

    Slots are used last in, first out, so that few resources stay in use rather than many that are seldom used.
    """

    def __init__(self, size: int) -> None:
        # A deque's append and pop are atomic in CPython, so the fast path needs no lock. ``queue.LifoQueue`` takes
        # several locks per operation.
        self._free: deque[T | None] = deque([None] * size)
        self._released = threading.Condition()
        self._waiting = 0

    def acquire(self, timeout_seconds: float) -> T | None:
        """Take a slot, which the caller must release; raises PoolExhausted."""
        try:
            return self._free.pop()
        except IndexError:
            return self._wait(timeout_seconds)

    def release(self, resource: T | None) -> None:
        """Return a slot with its resource, or with None if the resource is no longer usable."""
        self._free.append(resource)
        # A waiting thread increments the counter before its last check of the deque, so either it finds this slot or
        # its counter is seen here: no wake-up is lost.
        if self._waiting:
            with self._released:
                self._released.notify()

    def _wait(self, timeout_seconds: float) -> T | None:
        deadline = monotonic() + timeout_seconds
        with self._released:
            self._waiting += 1
            try:
                while True:
                    # Between the notification and this pop another thread may have taken the slot.
                    with suppress(IndexError):
                        return self._free.pop()
                    remaining = deadline - monotonic()
                    if remaining <= 0:
                        raise PoolExhausted
                    self._released.wait(remaining)
            finally:
                self._waiting -= 1
