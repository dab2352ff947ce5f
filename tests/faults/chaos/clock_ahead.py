"""A second worker of checks whose clock is ahead; it alternates with the regular one at the sweep."""

import os
from pathlib import Path
from typing import Final

from deploy.commands import OPERATOR_PORT_VARIABLE, READY_FILE_VARIABLE
from launcher.children import Child, Launch
from tests.faults.chaos.victims import TargetMissing, Victims
from tests.support.system import ROOT

WORKER: Final = "checks-worker"
OFFSET_VARIABLE: Final = "FASTCHECK_CLOCK_OFFSET_SECONDS"


class ClockAhead:
    """The worker process, from construction until :meth:`end` kills it."""

    def __init__(self, victims: Victims, folder: Path, *, offset_seconds: int) -> None:
        """Start the worker with the settings of the regular one; raise TargetMissing if that does not run."""
        self._ready = folder / f"clock-ahead-{offset_seconds}.ready"
        self._ready.unlink(missing_ok=True)
        regular = victims.find(WORKER).pid
        settings, command = _environment_of(regular), _command_of(regular)
        # The port is the regular worker's. It has none yet between its fork and the start of its program.
        if settings.pop(OPERATOR_PORT_VARIABLE, None) is None:
            raise TargetMissing(WORKER)
        self._child = Child(
            Launch(
                name="checks-worker with its clock ahead",
                command=command,
                env={**settings, OFFSET_VARIABLE: str(offset_seconds), READY_FILE_VARIABLE: str(self._ready)},
                log=folder / "clock-ahead.log",
                cwd=ROOT,
            )
        )

    def is_ready(self) -> bool:
        return self._ready.exists() and self._child.poll() is None

    def has_died(self) -> bool:
        return self._child.poll() is not None

    def end(self) -> None:
        """Kill the process with SIGKILL."""
        self._child.end_group()
        self._ready.unlink(missing_ok=True)


def _environment_of(pid: int) -> dict[str, str]:
    text = _read(pid, "environ")
    return dict(entry.split("=", 1) for entry in text.split("\0") if "=" in entry)


def _command_of(pid: int) -> list[str]:
    return _read(pid, "cmdline").rstrip("\0").split("\0")


def _read(pid: int, name: str) -> str:
    try:
        return os.fsdecode(Path(f"/proc/{pid}/{name}").read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        raise TargetMissing(str(pid)) from None
