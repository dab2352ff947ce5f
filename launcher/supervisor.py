"""Starts processes, keeps them running, stops them in order. Knows nothing of what they do."""

import math
import signal
import time
from collections.abc import Callable, Iterable
from typing import Final

from deploy.failure import LaunchError
from launcher.children import Child, adopt_orphans, end_strays
from launcher.logfiles import last_line
from launcher.processes import Process, Stage
from launcher.signals import SignalWatch
from launcher.state import RunningProcess

START_TIMEOUT_SECONDS: Final = 60.0
STOP_TIMEOUT_SECONDS: Final = 15.0
#: An interval of looking while something is about to change, and one for when nothing is.
BUSY_SECONDS: Final = 0.05
IDLE_SECONDS: Final = 1.0

FIRST_DELAY_SECONDS: Final = 0.5
LAST_DELAY_SECONDS: Final = 30.0
#: Who has run for so long has recovered: his next delay is the first again.
STEADY_SECONDS: Final = 60.0


class StopRequested(Exception):
    """Somebody asked us to stop while we were starting."""


class _Kept:
    """One process that is to be kept running, through as many children as it takes."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.child: Child | None = None
        self.ready = False
        self.deaths = 0
        self.started_at = 0.0
        self.start_again_at = math.inf
        self.log_offset = 0

    def start(self, now: float) -> None:
        log = self.process.launch.log
        self.log_offset = log.stat().st_size if log.exists() else 0
        if self.process.ready_file:
            self.process.ready_file.unlink(missing_ok=True)
        self.child = Child(self.process.launch)
        self.ready = False
        self.started_at = now
        self.start_again_at = math.inf

    def buried(self, now: float) -> int | None:
        """If the child has died: its exit code, with its helpers gone and the next start planned."""
        if self.child is None or (code := self.child.poll()) is None:
            return None
        # A helper that outlives its leader would hold the port that the next one needs.
        self.child.end_group()
        self.child = None
        self.ready = False
        self.deaths = 1 if now - self.started_at > STEADY_SECONDS else self.deaths + 1
        self.start_again_at = now + restart_delay(self.deaths)
        return code


def restart_delay(deaths: int) -> float:
    """Seconds to wait after so many deaths in a row."""
    return min(FIRST_DELAY_SECONDS * 2.0 ** (deaths - 1), LAST_DELAY_SECONDS)


class Supervisor:
    """All processes of one system."""

    def __init__(self, watch: SignalWatch, say: Callable[[str], None], changed: Callable[[], None]) -> None:
        """``say`` takes a sentence for the person at the terminal; ``changed`` is called when something did."""
        self._watch = watch
        self._say = say
        self._changed = changed
        self._kept: list[_Kept] = []
        self._strangers = adopt_orphans()

    def start(self, processes: Iterable[Process], timeout_seconds: float = START_TIMEOUT_SECONDS) -> None:
        """Start them all at once and return when all are ready.

        Raises LaunchError when one dies or is not ready in time, StopRequested when asked to stop meanwhile.
        """
        batch = [_Kept(process) for process in processes]
        for kept in batch:
            self._kept.append(kept)
            kept.start(time.monotonic())
        self._changed()
        deadline = time.monotonic() + timeout_seconds
        while waiting := [kept for kept in batch if not kept.ready]:
            self.raise_if_stopped()
            for kept in batch:
                self._refuse_death(kept)
            for kept in waiting:
                kept.ready = kept.process.is_ready()
            if time.monotonic() > deadline:
                names = ", ".join(kept.process.name for kept in waiting)
                raise LaunchError(f"Not ready after {timeout_seconds:.0f} seconds: {names}.")
            self._watch.wait(BUSY_SECONDS)

    def raise_if_stopped(self) -> None:
        """Raise StopRequested when a signal has asked us to stop."""
        if self._watch.stop_requests:
            raise StopRequested

    def keep_running(self, every_second: Callable[[], None]) -> None:
        """Start again what dies, until asked to stop."""
        while not self._watch.stop_requests:
            busy = [kept for kept in self._kept if not kept.ready]
            self._watch.wait(BUSY_SECONDS if busy else IDLE_SECONDS)
            for kept in self._kept:
                self._look_after(kept, time.monotonic())
            every_second()

    def all_ready(self) -> bool:
        """Whether every process runs and has said that it is ready."""
        return all(kept.ready for kept in self._kept)

    def running(self) -> tuple[RunningProcess, ...]:
        """What runs now."""
        return tuple(
            RunningProcess(kept.process.name, kept.child.pid, kept.child.started_at_ticks or 0, kept.process.url)
            for kept in self._kept
            if kept.child is not None
        )

    def stop(self) -> None:
        """Stop everything, the last started first. Who takes too long, or until we are asked twice more, is killed."""
        for stage in sorted(Stage, reverse=True):
            asked = self._watch.stop_requests
            children = [kept.child for kept in self._kept if kept.child and kept.process.stage is stage]
            for child in children:
                child.ask_to_stop()
            deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
            while any(child.poll() is None for child in children):
                if time.monotonic() > deadline or self._watch.stop_requests > asked + 1:
                    names = ", ".join(child.launch.name for child in children if child.poll() is None)
                    self._say(f"Killed, for it did not stop when asked: {names}.")
                    break
                self._watch.wait(BUSY_SECONDS)
            for child in children:
                child.end_group()
        self._kept.clear()
        end_strays(self._strangers)

    def _look_after(self, kept: _Kept, now: float) -> None:
        code = kept.buried(now)
        if code is not None:
            # PostgreSQL's processes leave its group, and while one of them lives the next server does not start.
            end_strays({each.child.pid for each in self._kept if each.child is not None} | self._strangers)
            delay = restart_delay(kept.deaths)
            self._say(f"{kept.process.name} died ({_how(code)}); it is started again in {delay:g} s.")
            self._changed()
        elif kept.child is None and now >= kept.start_again_at:
            self._start_again(kept, now)
        elif kept.child is not None and not kept.ready and kept.process.is_ready():
            kept.ready = True
            self._say(f"{kept.process.name} runs again.")
            self._changed()

    def _start_again(self, kept: _Kept, now: float) -> None:
        try:
            kept.start(now)
        except LaunchError as error:  # a full disk, say: the others go on, and this one may come back
            kept.deaths += 1
            kept.start_again_at = now + restart_delay(kept.deaths)
            self._say(f"{error} Tried again in {restart_delay(kept.deaths):g} s.")
        self._changed()

    def _refuse_death(self, kept: _Kept) -> None:
        code = kept.buried(time.monotonic())
        if code is None:
            return
        log = kept.process.launch.log
        reason = last_line(log, kept.log_offset)
        raise LaunchError(f"{kept.process.name} did not start ({_how(code)}): {reason or 'it said nothing'} (in {log})")


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
