"""Readiness: whether the dependencies of a process respond. A dependency that hangs does not delay the probe."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Final, Literal

from common import log_events
from common.core.logging import get_logger

log = get_logger(__name__)

#: Raises an exception if the dependency is unavailable.
Check = Callable[[], None]
Status = Literal["ok", "degraded", "unavailable"]

#: Maximum wait for all checks of a probe.
CHECK_SECONDS: Final = 1.5


class Unavailable(Exception):
    """The dependency was unavailable when the process last used it."""


class State:
    """A dependency whose state is known from its regular use. Its ``check`` raises Unavailable."""

    def __init__(self) -> None:
        self._is_available = False

    def set(self, *, available: bool) -> None:
        self._is_available = available

    def check(self) -> None:
        if not self._is_available:
            raise Unavailable


class Readiness:
    """The dependencies of one process: those that it needs, and those without which it serves more slowly."""

    def __init__(self, needed: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> None:
        self._needed = {name: _Probe(name, check) for name, check in needed.items()}
        self._optional = {name: _Probe(name, check) for name, check in (optional or {}).items()}

    def report(self) -> tuple[Status, dict[str, bool]]:
        """Return the status, and for each dependency whether it responds."""
        probes = {**self._needed, **self._optional}
        for probe in probes.values():
            probe.begin()
        deadline = time.monotonic() + CHECK_SECONDS
        responds = {name: probe.succeeds_by(deadline) for name, probe in probes.items()}
        if not all(responds[name] for name in self._needed):
            return "unavailable", responds
        return "ok" if all(responds.values()) else "degraded", responds


class _Probe:
    """Runs one check at a time in a thread; later probes wait for the same run."""

    def __init__(self, name: str, check: Check) -> None:
        self._name = name
        self._check = check
        self._lock = threading.Lock()
        self._run: _Run | None = None

    def begin(self) -> None:
        with self._lock:
            if self._run is None or self._run.done.is_set():
                self._run = _Run()
                # A daemon: a check that hangs must not keep the process from exiting.
                threading.Thread(target=self._run.execute, args=(self._check,), name="readiness", daemon=True).start()

    def succeeds_by(self, deadline: float) -> bool:
        run = self._run
        if run is not None and run.done.wait(max(deadline - time.monotonic(), 0.0)):
            error = run.error
        else:
            error = "no response in time"
        if error is not None:
            log.warning(log_events.READINESS_CHECK_FAILED, check=self._name, error=error)
        return error is None


class _Run:
    def __init__(self) -> None:
        self.done = threading.Event()
        self.error: str | None = None

    def execute(self, check: Check) -> None:
        try:
            check()
        except Exception as error:  # noqa: BLE001  any exception means not ready
            self.error = type(error).__name__
        finally:
            self.done.set()
