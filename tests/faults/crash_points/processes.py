"""The client of the fork server: starts processes and waits for their exit."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from tests.support.system import ROOT

END_TIMEOUT_SECONDS: Final = 10.0
#: Bytes at the end of the log that are shown when a process fails.
_LOG_TAIL_BYTES: Final = 4_000


@dataclass(frozen=True, slots=True)
class Process:
    """A started process, which may have exited."""

    role: str
    pid: int


class Processes:
    """The processes of one system. They are killed with it."""

    def __init__(self, folder: Path, environ: Mapping[str, str], control: Path, trace: Path) -> None:
        self._log = folder / "processes.log"
        self._stack = ExitStack()
        ours, theirs = socket.socketpair()
        with theirs, self._log.open("ab") as log:
            self._fork_server = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "tests.faults.crash_points.fork_server",
                    str(theirs.fileno()),
                    str(control),
                    str(trace),
                ],
                cwd=ROOT,
                env={"PATH": os.environ["PATH"], "C_FORCE_ROOT": "1", **environ},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(theirs.fileno(),),
            )
        self._socket = ours
        self._lines = ours.makefile("rw")
        self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()
        self._fork_server.kill()
        self._fork_server.wait(END_TIMEOUT_SECONDS)

    def start(self, role: str, argument: str = "", changes: Sequence[str] = ()) -> Process:
        """Start a process. A server accepts requests when this returns."""
        made = self._ask("spawn", role=role, argument=argument, changes=list(changes))
        if not made["ready"]:
            raise AssertionError(f"{role} did not start: {self._log_tail()}")
        return Process(role, made["pid"])

    def end_of(self, process: Process, *, within: float) -> int | None:
        """Return the exit status, or None while the process runs."""
        status: int | None = self._ask("reap", pid=process.pid, timeout=within)["status"]
        return status

    def finish(self, process: Process) -> None:
        """Wait for a process that ends by itself. Raise AssertionError unless it exits with 0."""
        status = self.end_of(process, within=END_TIMEOUT_SECONDS)
        if status != 0:
            raise AssertionError(f"{process.role} ended with {status}: {self._log_tail()}")

    def kill(self, process: Process) -> None:
        self._ask("kill", pid=process.pid)

    def _log_tail(self) -> str:
        return self._log.read_text()[-_LOG_TAIL_BYTES:]

    def _ask(self, do: str, **what: object) -> dict[str, Any]:
        self._lines.write(json.dumps({"do": do, **what}) + "\n")
        self._lines.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self._lines.readline()
        if not line:
            raise AssertionError(f"the fork server has ended: {self._log_tail()}")
        answer: dict[str, Any] = json.loads(line)
        return answer
