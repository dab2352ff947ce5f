"""Small programs for the supervisor to run: ``python -m tests.support.programs NAME FILE``.

Each writes its pid, and those of its helpers, as lines at the end of FILE; a polite one writes "NAME stopped" too.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn


def polite(file: Path) -> None:
    """Stops when asked."""

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        _write(file, f"{file.stem} stopped")
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    _write(file, str(os.getpid()))
    signal.pause()


def stubborn(file: Path) -> None:
    """Does not stop when asked."""
    signal.signal(signal.SIGTERM, lambda *_: _write(file, "stubborn was asked"))
    _write(file, str(os.getpid()))
    while True:
        signal.pause()


def with_helper(file: Path) -> None:
    """Has a helper that takes no notice of its leader's death, as the workers of a web server do not."""
    with subprocess.Popen([sys.executable, "-m", "tests.support.programs", "stubborn", str(file)]) as helper:
        _write(file, str(os.getpid()))
        signal.signal(signal.SIGTERM, lambda *_: helper.kill())
        helper.wait()


def with_runaway(file: Path) -> None:
    """Has a helper that takes no notice of its death and has left its group, as PostgreSQL's processes do."""
    helper = [sys.executable, "-m", "tests.support.programs", "stubborn", str(file)]
    with subprocess.Popen(helper, start_new_session=True) as runaway:
        _write(file, str(os.getpid()))
        signal.signal(signal.SIGTERM, lambda *_: runaway.kill())
        runaway.wait()


def never_ready(_file: Path) -> None:
    """Runs, and never says that it is ready."""
    signal.pause()


def failing(_file: Path) -> None:
    """Cannot start."""
    sys.exit("the settings are not complete")


def _write(file: Path, line: str) -> None:
    with file.open("a") as output:
        output.write(line + "\n")


PROGRAMS = {
    program.__name__: program for program in (polite, stubborn, with_helper, with_runaway, never_ready, failing)
}

if __name__ == "__main__":
    PROGRAMS[sys.argv[1]](Path(sys.argv[2]))
