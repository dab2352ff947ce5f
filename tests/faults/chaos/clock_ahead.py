"""A second worker of checks whose clock is ahead: the sweep's nudges go to it and to the right one by turns."""

import os
from pathlib import Path
from typing import Final

from launcher.children import Child, Launch
from launcher.processes import READY_FILE_VARIABLE
from tests.faults.chaos.victims import NotThere, Victims
from tests.support.system import ROOT

WORKER: Final = "checks-worker"
OFFSET_VARIABLE: Final = "FASTCHECK_CLOCK_OFFSET_SECONDS"


class ClockAhead:
    """Such a worker's life: from :meth:`start` until it is killed by :meth:`end`."""

    def __init__(self, victims: Victims, folder: Path, *, offset_seconds: int) -> None:
        """Raises NotThere when the right worker, whose settings this one gets, does not run."""
        self._ready = folder / f"clock-ahead-{offset_seconds}.ready"
        self._ready.unlink(missing_ok=True)
        settings = _environment_of(victims.find(WORKER).pid)
        command = _command_of(victims.find(WORKER).pid)
        self._child = Child(
            Launch(
                name="checks-worker with its clock ahead",
                command=command,
                env={**settings, OFFSET_VARIABLE: str(offset_seconds), READY_FILE_VARIABLE: str(self._ready)},
                log=folder / "clock-ahead.log",
                cwd=ROOT,
            )
        )

    def is_at_work(self) -> bool:
        return self._ready.exists() and self._child.poll() is None

    def has_died(self) -> bool:
        return self._child.poll() is not None

    def end(self) -> None:
        """Kill it, in the middle of whatever it does."""
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
        raise NotThere(str(pid)) from None
