"""Child processes that cannot outlive their parent.

Each child leads a process group of its own: Ctrl-C in a terminal reaches the parent only, and a stop reaches the whole
group. On Linux the kernel signals the child when the parent exits, even after SIGKILL (``PR_SET_PDEATHSIG``).
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
    """How to start one process, and which signal stops it."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    log: Path
    stop_signal: signal.Signals = signal.SIGTERM
    user: ServerUser | None = None
    pass_fds: tuple[int, ...] = ()
    cwd: Path = field(default_factory=Path.cwd)


class Child:
    """A child process."""

    def __init__(self, launch: Launch) -> None:
        """Start the process and append its output to ``launch.log``; raise LaunchError if it cannot start."""
        self.launch = launch
        user = launch.user
        try:
            log = os.open(launch.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
            try:
                # preexec_fn is safe here: it runs after fork in a single-threaded process and makes system calls only.
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
        """Return the exit code, negative for a signal; ``None`` while the process runs.

        The child stays a zombie until :meth:`end_group`, so that the kernel cannot reuse its pid, the group's id.
        """
        if self._process.returncode is not None:
            return self._process.returncode
        end = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if end is None:
            return None
        return end.si_status if end.si_code == os.CLD_EXITED else -end.si_status

    def ask_to_stop(self) -> None:
        """Send ``launch.stop_signal``, on which the program finishes its work and exits."""
        if self.poll() is None:
            os.kill(self.pid, self.launch.stop_signal)

    def end_group(self) -> None:
        """Kill what remains of the process group and reap the child."""
        if self._process.returncode is None:
            signal_group(self.pid, signal.SIGKILL)
            self._process.wait()


def signal_group(group_id: int, number: signal.Signals) -> None:
    """Send a signal to a process group; do nothing if it no longer exists."""
    try:
        os.killpg(group_id, number)
    except ProcessLookupError:
        return
    except PermissionError:
        # macOS raises this for a group of which only the zombie leader remains.
        if sys.platform == "linux":
            raise


def adopt_orphans() -> frozenset[int]:
    """Make this process the parent of orphaned descendants, whatever group they are in (Linux, prctl(2)).

    Return the children that exist already, such as those of a shell that exec'ed this program.
    """
    unrelated = frozenset(_children())
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    return unrelated


def kill_orphans(leaders: Collection[int]) -> None:
    """Kill and reap every child of this process whose pid is not in ``leaders``."""
    for pid in _children() - set(leaders):
        # Only the parent reaps a child, so the pid still belongs to it.
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
    """Return the start time of a process in kernel ticks; ``None`` if it has exited.

    Pid and start time identify a process uniquely. Without /proc, return 0 for every running process.
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
    """Return the fields of /proc/<pid>/stat from the state on; ``None`` if the process has exited."""
    try:
        # The program's name is in parentheses and may itself contain spaces and parentheses.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _die_with_parent(number: signal.Signals) -> Callable[[], None]:
    parent = os.getpid()

    def before_exec() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(number))
            if os.getppid() != parent:  # the parent exited before prctl
                os._exit(1)

    return before_exec
