"""Start processes, restart the ones that exit, and stop them in order. Independent of what the processes do."""

import math
import signal
import time
from collections.abc import Callable, Iterable
from typing import Final

from deploy.failure import LaunchError
from launcher.children import Child, adopt_orphans, kill_orphans
from launcher.logfiles import last_line
from launcher.processes import Process, Stage
from launcher.signals import SignalWatch
from launcher.state import RunningProcess

START_TIMEOUT_SECONDS: Final = 60.0
STOP_TIMEOUT_SECONDS: Final = 15.0
#: Seconds between polls while a process starts or stops, and while all are ready.
BUSY_SECONDS: Final = 0.05
IDLE_SECONDS: Final = 1.0

FIRST_DELAY_SECONDS: Final = 0.5
LAST_DELAY_SECONDS: Final = 30.0
#: Uptime in seconds after which the restart backoff resets.
BACKOFF_RESET_SECONDS: Final = 60.0


class StopRequested(Exception):
    """A signal asked the supervisor to stop during start-up."""


class ManagedProcess:
    """One process under supervision, and the child that currently runs it."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.child: Child | None = None
        self.ready = False
        self.failures = 0
        self.started_at = 0.0
        self.restart_at = math.inf
        self.log_offset = 0

    def start(self, now: float) -> None:
        log = self.process.launch.log
        self.log_offset = log.stat().st_size if log.exists() else 0
        self.child = Child(self.process.launch)
        self.ready = False
        self.started_at = now
        self.restart_at = math.inf

    def reap(self, now: float) -> int | None:
        """Reap the child if it has exited: kill its process group, schedule the restart, return the exit code."""
        if self.child is None or (code := self.child.poll()) is None:
            return None
        # A remaining process of the group, such as a granian worker, would hold the port that the next child needs.
        self.child.end_group()
        self.child = None
        self.ready = False
        self.failures = 1 if now - self.started_at > BACKOFF_RESET_SECONDS else self.failures + 1
        self.restart_at = now + restart_delay(self.failures)
        return code


def restart_delay(failures: int) -> float:
    """Return the seconds to wait before the restart after ``failures`` consecutive exits."""
    return min(FIRST_DELAY_SECONDS * 2.0 ** (failures - 1), LAST_DELAY_SECONDS)


class Supervisor:
    """Supervises all processes of one system."""

    def __init__(self, watch: SignalWatch, say: Callable[[str], None], changed: Callable[[], None]) -> None:
        """Report to the user by ``say``, one sentence per call; call ``changed`` after each change of state."""
        self._watch = watch
        self._say = say
        self._changed = changed
        self._managed: list[ManagedProcess] = []
        self._unrelated = adopt_orphans()

    def start(self, processes: Iterable[Process], timeout_seconds: float = START_TIMEOUT_SECONDS) -> None:
        """Start the processes at the same time and return when all are ready.

        Raise LaunchError if one exits or is not ready within ``timeout_seconds``, StopRequested if a signal arrives.
        """
        batch = [ManagedProcess(process) for process in processes]
        for managed in batch:
            self._managed.append(managed)
            managed.start(time.monotonic())
        self._changed()
        deadline = time.monotonic() + timeout_seconds
        while waiting := [managed for managed in batch if not managed.ready]:
            self.raise_if_stopped()
            for managed in batch:
                self._raise_if_exited(managed)
            for managed in waiting:
                managed.ready = managed.process.is_ready()
            if time.monotonic() > deadline:
                names = ", ".join(managed.process.name for managed in waiting)
                raise LaunchError(f"Not ready after {timeout_seconds:.0f} seconds: {names}.")
            self._watch.wait(BUSY_SECONDS)

    def raise_if_stopped(self) -> None:
        """Raise StopRequested if a stop signal has arrived."""
        if self._watch.stop_requests:
            raise StopRequested

    def keep_running(self, every_second: Callable[[], None]) -> None:
        """Restart processes that exit until a stop signal arrives; call ``every_second`` after each poll."""
        while not self._watch.stop_requests:
            busy = [managed for managed in self._managed if not managed.ready]
            self._watch.wait(BUSY_SECONDS if busy else IDLE_SECONDS)
            for managed in self._managed:
                self._supervise(managed, time.monotonic())
            every_second()

    def all_ready(self) -> bool:
        """Return whether every process runs and is ready."""
        return all(managed.ready for managed in self._managed)

    def running(self) -> tuple[RunningProcess, ...]:
        """Return the processes that run now."""
        return tuple(
            RunningProcess(
                managed.process.name,
                managed.child.pid,
                managed.child.started_at_ticks or 0,
                managed.process.url,
                managed.process.operator_url,
            )
            for managed in self._managed
            if managed.child is not None
        )

    def stop(self) -> None:
        """Stop all processes in the reverse order of the stages.

        Kill the processes of a stage that do not stop within STOP_TIMEOUT_SECONDS, or after two more stop signals.
        """
        for stage in sorted(Stage, reverse=True):
            asked = self._watch.stop_requests
            children = [managed.child for managed in self._managed if managed.child and managed.process.stage is stage]
            for child in children:
                child.ask_to_stop()
            deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
            while any(child.poll() is None for child in children):
                if time.monotonic() > deadline or self._watch.stop_requests > asked + 1:
                    names = ", ".join(child.launch.name for child in children if child.poll() is None)
                    self._say(f"Killed because it did not stop in time: {names}.")
                    break
                self._watch.wait(BUSY_SECONDS)
            for child in children:
                child.end_group()
        self._managed.clear()
        kill_orphans(self._unrelated)

    def _supervise(self, managed: ManagedProcess, now: float) -> None:
        code = managed.reap(now)
        if code is not None:
            # PostgreSQL's backends leave its process group, and the next server does not start while one of them lives.
            kill_orphans({each.child.pid for each in self._managed if each.child is not None} | self._unrelated)
            delay = restart_delay(managed.failures)
            self._say(f"{managed.process.name} exited ({_describe_exit(code)}); it restarts in {delay:g} s.")
            self._changed()
        elif managed.child is None and now >= managed.restart_at:
            self._restart(managed, now)
        elif managed.child is not None and not managed.ready and managed.process.is_ready():
            managed.ready = True
            self._say(f"{managed.process.name} is ready again.")
            self._changed()

    def _restart(self, managed: ManagedProcess, now: float) -> None:
        try:
            managed.start(now)
        except LaunchError as error:  # such as a full disk: a later attempt may succeed
            managed.failures += 1
            managed.restart_at = now + restart_delay(managed.failures)
            self._say(f"{error} The next attempt is in {restart_delay(managed.failures):g} s.")
        self._changed()

    def _raise_if_exited(self, managed: ManagedProcess) -> None:
        code = managed.reap(time.monotonic())
        if code is None:
            return
        log = managed.process.launch.log
        reason = last_line(log, managed.log_offset)
        raise LaunchError(
            f"{managed.process.name} did not start ({_describe_exit(code)}): {reason or 'no output'} (in {log})"
        )


def _describe_exit(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
