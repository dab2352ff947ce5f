"""Small programs for tests of the supervisor: ``python -m tests.support.programs NAME FILE``.

Each appends its pid and those of its children to FILE, one per line; ``polite`` appends "NAME stopped" too.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn


def polite(file: Path) -> None:
    """Stop on SIGTERM."""

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        _write(file, f"{file.stem} stopped")
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    _write(file, str(os.getpid()))
    signal.pause()


def stubborn(file: Path) -> None:
    """Ignore SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: _write(file, "stubborn was asked"))
    _write(file, str(os.getpid()))
    while True:
        signal.pause()


def with_helper(file: Path) -> None:
    """Start a child that survives its parent, as the workers of a web server do not."""
    with subprocess.Popen([sys.executable, "-m", "tests.support.programs", "stubborn", str(file)]) as helper:
        _write(file, str(os.getpid()))
        signal.signal(signal.SIGTERM, lambda *_: helper.kill())
        helper.wait()


def with_runaway(file: Path) -> None:
    """Start a child in a session of its own that survives its parent, as PostgreSQL's processes do."""
    helper = [sys.executable, "-m", "tests.support.programs", "stubborn", str(file)]
    with subprocess.Popen(helper, start_new_session=True) as runaway:
        _write(file, str(os.getpid()))
        signal.signal(signal.SIGTERM, lambda *_: runaway.kill())
        runaway.wait()


def never_ready(_file: Path) -> None:
    """Run without becoming ready."""
    signal.pause()


def failing(_file: Path) -> None:
    """Fail at start."""
    sys.exit("the settings are not complete")


def _write(file: Path, line: str) -> None:
    with file.open("a") as output:
        output.write(line + "\n")


PROGRAMS = {
    program.__name__: program for program in (polite, stubborn, with_helper, with_runaway, never_ready, failing)
}

if __name__ == "__main__":
    PROGRAMS[sys.argv[1]](Path(sys.argv[2]))
