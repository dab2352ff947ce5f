"""A bounded pool: so many things at most, each made when it is first wanted. Safe to share between threads."""

import threading
from collections import deque
from contextlib import suppress
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")


class NoneFree(Exception):
    """All slots were taken for as long as the caller would wait."""


class Slots(Generic[T]):
    """Slots, not things: an empty one (None) stands for a thing that is still to be made.

    The last one given back is the first to be taken, so that few things stay warm instead of many lukewarm.
    """

    def __init__(self, size: int) -> None:
        # Appending to a deque and popping from it are one step each for CPython, so that whoever need not wait needs
        # no lock: ``queue.LifoQueue`` takes several for each.
        self._free: deque[T | None] = deque([None] * size)
        self._given_back = threading.Condition()
        self._waiting = 0

    def take(self, timeout_seconds: float) -> T | None:
        """A slot, which must be given back; raises NoneFree."""
        try:
            return self._free.pop()
        except IndexError:
            return self._wait(timeout_seconds)

    def give_back(self, thing: T | None) -> None:
        """Return a slot: with the thing in it, or empty where the thing is no good any more."""
        self._free.append(thing)
        # Whoever waits has said so before he looked for the last time: he has seen this slot, or is seen here.
        if self._waiting:
            with self._given_back:
                self._given_back.notify()

    def _wait(self, timeout_seconds: float) -> T | None:
        deadline = monotonic() + timeout_seconds
        with self._given_back:
            self._waiting += 1
            try:
                while True:
                    # Somebody who came by just now may have been quicker.
                    with suppress(IndexError):
                        return self._free.pop()
                    left = deadline - monotonic()
                    if left <= 0:
                        raise NoneFree
                    self._given_back.wait(left)
            finally:
                self._waiting -= 1
