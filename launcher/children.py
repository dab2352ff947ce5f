"""Child processes that never outlive us.

Each is the leader of its own process group, so that a terminal's Ctrl-C reaches us alone and a stop reaches all of
its helpers. The kernel sends it a signal when we die, however we die.
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from deploy.failure import explain_os_error
from launcher.embedded.user import ServerUser

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
# Loaded before any fork: a child between fork and exec must not load libraries.
_LIBC: Final = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class Launch:
    """All that is needed to start one process, and to stop it kindly."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    log: Path
    stop_signal: signal.Signals = signal.SIGTERM
    user: ServerUser | None = None
    pass_fds: tuple[int, ...] = ()
    cwd: Path = field(default_factory=Path.cwd)


class Child:
    """One running process, which we have started."""

    def __init__(self, launch: Launch) -> None:
        """Start it; its output goes to the end of ``launch.log``."""
        self.launch = launch
        user = launch.user
        try:
            log = os.open(launch.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
            try:
                # What is set here runs after fork, in a process of one thread, and calls the kernel only.
                self._process = subprocess.Popen(
                    list(launch.command),
                    env=dict(launch.env),
                    cwd="/" if user else launch.cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    pass_fds=launch.pass_fds,
                    preexec_fn=_die_with_parent(launch.stop_signal),  # noqa: PLW1509
                    user=user.uid if user else None,
                    group=user.gid if user else None,
                    extra_groups=[] if user else None,
                )
            finally:
                os.close(log)
        except OSError as error:
            raise explain_os_error(error, f"start {launch.name}") from error
        self.started_at_ticks = start_ticks(self.pid)

    @property
    def pid(self) -> int:
        return self._process.pid

    def poll(self) -> int | None:
        """The exit code, negative for a signal; ``None`` while it runs.

        A dead child is not reaped here: until :meth:`end_group` its number, which is its group's too, stays ours.
        """
        if self._process.returncode is not None:
            return self._process.returncode
        end = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if end is None:
            return None
        return end.si_status if end.si_code == os.CLD_EXITED else -end.si_status

    def ask_to_stop(self) -> None:
        """Send the signal that this program understands as "finish and go"."""
        if self.poll() is None:
            os.kill(self.pid, self.launch.stop_signal)

    def end_group(self) -> None:
        """Kill what is left of the process and of its helpers, and reap it."""
        if self._process.returncode is None:
            signal_group(self.pid, signal.SIGKILL)
            self._process.wait()


def signal_group(group_id: int, number: signal.Signals) -> None:
    """Send a signal to a process group that may be gone already."""
    try:
        os.killpg(group_id, number)
    except ProcessLookupError:
        return
    except PermissionError:
        # macOS says this of a group of which only the unreaped leader is left.
        if sys.platform == "linux":
            raise


def adopt_orphans() -> frozenset[int]:
    """From now on a helper whose leader dies becomes our child, whatever group it is in (Linux, prctl(2)).

    Returns the children that we have already: of a shell that became us, say. They are none of our business.
    """
    strangers = frozenset(_children())
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    return strangers


def end_strays(leaders: Collection[int]) -> None:
    """Kill and reap our children that are none of ``leaders``: those that dead leaders have left to us."""
    for pid in _children() - set(leaders):
        # Nobody but us reaps a child of ours, so its number is still its own.
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _children() -> set[int]:
    if sys.platform != "linux":
        return set()
    found = set()
    for entry in Path("/proc").iterdir():
        fields = _stat(int(entry.name)) if entry.name.isdigit() else None
        if fields is not None and int(fields[1]) == os.getpid():
            found.add(int(entry.name))
    return found


def start_ticks(pid: int) -> int | None:
    """When a process began, in the kernel's ticks: with the pid it names one process for ever. ``None``: it is gone.

    Where there is no /proc, 0 stands for every living process.
    """
    if sys.platform != "linux":
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        return 0
    fields = _stat(pid)
    return None if fields is None or fields[0] == "Z" else int(fields[19])


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat from the state on; ``None``: it is gone."""
    try:
        # The name of the program is in brackets and may hold anything, blanks and brackets too.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _die_with_parent(number: signal.Signals) -> Callable[[], None]:
    parent = os.getpid()

    def before_exec() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(number))
            if os.getppid() != parent:  # it died before the kernel knew
                os._exit(1)

    return before_exec
