"""Threads of which exactly one runs at a time, in an order that a seed decides.

A thread stops where it takes a lock, waits for an event, and at every call of :meth:`Stepper.gate`. The same seed
always gives the same schedule. A schedule in which no thread can continue is a deadlock and fails.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from random import Random
from typing import Any
from unittest.mock import patch


class Deadlock(AssertionError):
    """No thread can continue."""


class _Thread:
    def __init__(self, name: str, work: Callable[[], None]) -> None:
        self.name = name
        self.work = work
        self.baton = threading.Semaphore(0)
        self.ready: Callable[[], bool] = lambda: True
        #: Whether it waits for something that may time out, and whether the time-out has been chosen.
        self.may_time_out = False
        self.timed_out = False
        self.is_done = False
        self.error: BaseException | None = None


class Stepper:
    """The scheduler of one schedule. ``time_outs`` is the probability that a step lets a waiting thread time out."""

    def __init__(self, seed: int, *, time_outs: float = 0.0) -> None:
        self.random = Random(seed)
        self._time_outs = time_outs
        self._arrived = threading.Semaphore(0)
        self._current: _Thread | None = None
        #: The names of the threads in the order of their steps.
        self.schedule: list[str] = []

    def run(self, works: Sequence[Callable[[], None]]) -> None:
        """Run the functions, each in its own thread, until all have ended; raise the first unexpected exception."""
        threads = [_Thread(f"t{number}", work) for number, work in enumerate(works)]
        for thread in threads:
            threading.Thread(target=self._run, args=(thread,), name=thread.name, daemon=True).start()
        while open_ := [thread for thread in threads if not thread.is_done]:
            chosen = self._choose(open_)
            self.schedule.append(chosen.name)
            self._current = chosen
            chosen.baton.release()
            self._arrived.acquire()
        for thread in threads:
            if thread.error is not None:
                raise thread.error

    def _choose(self, threads: Sequence[_Thread]) -> _Thread:
        ready = [thread for thread in threads if thread.ready()]
        waiting = [thread for thread in threads if thread.may_time_out and not thread.ready()]
        if waiting and (not ready or self.random.random() < self._time_outs) and self._time_outs:
            chosen = self.random.choice(waiting)
            chosen.timed_out = True
            return chosen
        if not ready:
            raise Deadlock(f"{len(threads)} threads wait for each other")
        return self.random.choice(ready)

    def _run(self, thread: _Thread) -> None:
        thread.baton.acquire()
        try:
            thread.work()
        except BaseException as error:  # noqa: BLE001  raised by run
            thread.error = error
        thread.is_done = True
        self._arrived.release()

    def gate(self, ready: Callable[[], bool] = lambda: True, *, may_time_out: bool = False) -> bool:
        """Stop the calling thread until it is ready and chosen; return False if it was chosen to time out."""
        thread = self._current
        assert thread is not None
        thread.ready, thread.may_time_out, thread.timed_out = ready, may_time_out, False
        self._arrived.release()
        thread.baton.acquire()
        thread.ready, thread.may_time_out = (lambda: True), False
        return not thread.timed_out

    @contextmanager
    def patched(self, module: str) -> Iterator[None]:
        """Replace the module's Lock, Event and BoundedSemaphore by those of this scheduler."""
        fakes: dict[str, Any] = {
            "Lock": lambda: SteppedSemaphore(self, 1),
            "Event": lambda: SteppedEvent(self),
            "BoundedSemaphore": lambda value: SteppedSemaphore(self, value),
        }
        with patch.multiple(module, **fakes):
            yield


class SteppedEvent:
    """In the place of ``threading.Event``."""

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper
        self._is_set = False

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True

    def wait(self, timeout: float) -> bool:  # noqa: ARG002  the seed decides
        self._stepper.gate(self.is_set, may_time_out=True)
        return self._is_set


class SteppedSemaphore:
    """In the place of ``threading.Lock`` and ``threading.BoundedSemaphore``."""

    def __init__(self, stepper: Stepper, value: int) -> None:
        self._stepper = stepper
        self._free = value

    def acquire(self, timeout: float | None = None) -> bool:
        if not self._stepper.gate(lambda: self._free > 0, may_time_out=timeout is not None):
            return False
        self._free -= 1
        return True

    def release(self) -> None:
        self._free += 1

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()
