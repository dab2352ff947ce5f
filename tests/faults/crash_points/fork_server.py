"""A fork server: all services imported and built, no connection open, one fork per requested process.

``python -m tests.faults.crash_points.fork_server FD CONTROL TRACE``. On the socket FD it reads one JSON object per line
and answers each with one. A fork starts in milliseconds and has the state of a newly started process.
"""

import ctypes
import gc
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
_POLL_INTERVAL_SECONDS: Final = 0.001
_BIND_TIMEOUT_SECONDS: Final = 10.0
#: Exit status of a child that ended with an exception.
FAILED: Final = 70


class ForkServer:
    """Forks children and records their exit statuses."""

    def __init__(self, control: Control, trace: Trace) -> None:
        self._points = Points(control, trace)
        hooks = Hooks(self._points)
        hooks.hook_driver()
        from tests.faults.crash_points.roles import Roles  # noqa: PLC0415  the services come after the hook

        self._roles = Roles(control)
        hooks.hook_clients()
        self._statuses: dict[int, int] = {}
        # A collection in a child would otherwise write to, and so copy, every page of this process.
        gc.collect()
        gc.freeze()

    def serve(self, requests: socket.socket) -> None:
        """Answer requests until the socket is closed."""
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
            raise RuntimeError("a process with several threads must not fork")
        is_ready, tell = os.pipe()
        pid = os.fork()
        if pid == 0:
            requests.close()
            os.close(is_ready)
            self._run_child(role, argument, changes, tell)
        self._statuses.pop(pid, None)  # of an earlier child with the same process id
        os.close(tell)
        # A server writes to the pipe when it is ready. Any other end of the child closes the pipe.
        ready = bool(select.select([is_ready], [], [], _BIND_TIMEOUT_SECONDS)[0]) and bool(os.read(is_ready, 1))
        os.close(is_ready)
        return {"pid": pid, "ready": ready}

    def _run_child(self, role: str, argument: str, changes: list[str], tell: int) -> None:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        status = FAILED
        try:
            self._points.role = role
            self._roles.apply(changes)

            def ready() -> None:
                os.write(tell, b"1")

            self._roles.run(role, argument, ready)
            status = 0
        except BaseException:  # noqa: BLE001  the exit status reports it
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
                time.sleep(_POLL_INTERVAL_SECONDS)
        return {"status": self._statuses[pid]}

    def _kill(self, requests: socket.socket, pid: int) -> dict[str, Any]:
        if pid not in self._statuses:
            os.kill(pid, signal.SIGKILL)
        return self._reap(requests, pid, _BIND_TIMEOUT_SECONDS)


def main(fd: int, control: Path, trace: Path) -> None:
    with socket.socket(fileno=fd) as requests:
        ForkServer(Control(control), Trace(trace)).serve(requests)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
