"""A process with everything imported and built and no connection open, which forks whatever is asked for.

``python -m tests.faults.crash_points.zygote FD CONTROL TRACE``; on the socket FD it takes one JSON object a line and
answers each with one. A fork of it is a process as fresh as one that was started from a command line, a thousand times
sooner.
"""

import ctypes
import json
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any, Final

from tests.faults.crash_points.control import Control, Trace
from tests.faults.crash_points.hooks import Hooks
from tests.faults.crash_points.points import Points

_PR_SET_PDEATHSIG: Final = 1
_LOOK_EVERY_SECONDS: Final = 0.001
_BIND_TIMEOUT_SECONDS: Final = 10.0
#: What a process says that ended by an exception.
FAILED: Final = 70


class Zygote:
    """Forks, and knows how its children ended."""

    def __init__(self, control: Control, trace: Trace) -> None:
        self._points = Points(control, trace)
        hooks = Hooks(self._points)
        hooks.under_the_driver()
        from tests.faults.crash_points.roles import Roles  # noqa: PLC0415  the services come after the hook

        self._roles = Roles(control)
        hooks.under_the_clients()
        self._statuses: dict[int, int] = {}

    def serve(self, requests: socket.socket) -> None:
        """Answer until nobody asks any more."""
        with requests.makefile("rw") as lines:
            lines.write(json.dumps({"ready": True}) + "\n")
            lines.flush()
            for line in lines:
                asked = json.loads(line)
                answer = getattr(self, f"_{asked.pop('do')}")(requests, **asked)
                lines.write(json.dumps(answer) + "\n")
                lines.flush()

    def _spawn(self, requests: socket.socket, role: str, argument: str, changes: list[str]) -> dict[str, Any]:
        if threading.active_count() != 1:
            raise RuntimeError("who has threads must not fork")
        is_ready, tell = os.pipe()
        pid = os.fork()
        if pid == 0:
            requests.close()
            os.close(is_ready)
            self._become(role, argument, changes, tell)
        self._statuses.pop(pid, None)  # of somebody who had the same number long ago
        os.close(tell)
        # Who serves says so; who does not closes the pipe by ending, or at once.
        ready = bool(select.select([is_ready], [], [], _BIND_TIMEOUT_SECONDS)[0]) and bool(os.read(is_ready, 1))
        os.close(is_ready)
        return {"pid": pid, "ready": ready}

    def _become(self, role: str, argument: str, changes: list[str], tell: int) -> None:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        status = FAILED
        try:
            self._points.role = role
            self._roles.apply(changes)

            def ready() -> None:
                os.write(tell, b"1")

            self._roles.play(role, argument, ready)
            status = 0
        except BaseException:  # noqa: BLE001  the end of a process, told by its status
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _reap(self, _requests: socket.socket, pid: int, timeout: float) -> dict[str, Any]:
        deadline = time.monotonic() + timeout
        while pid not in self._statuses:
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                self._statuses[pid] = os.waitstatus_to_exitcode(status)
            elif time.monotonic() >= deadline:
                return {"status": None}
            else:
                time.sleep(_LOOK_EVERY_SECONDS)
        return {"status": self._statuses[pid]}

    def _kill(self, requests: socket.socket, pid: int) -> dict[str, Any]:
        if pid not in self._statuses:
            os.kill(pid, signal.SIGKILL)
        return self._reap(requests, pid, _BIND_TIMEOUT_SECONDS)


def main(fd: int, control: Path, trace: Path) -> None:
    with socket.socket(fileno=fd) as requests:
        Zygote(Control(control), Trace(trace)).serve(requests)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
