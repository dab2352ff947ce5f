"""The processes of the system under chaos. What is struck is taken from its own status, and looked at once more
before the blow: a number that has passed to another program is never struck.
"""

import os
import signal
from pathlib import Path

from launcher import state
from launcher.data_dir import DataDir
from launcher.processes import is_replica_of
from launcher.state import RunningProcess


class NotThere(Exception):
    """The process does not run at this moment: an earlier fault has its effect still."""


class Victims:
    """By name, as ``fastcheck status --json`` tells them."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = DataDir(data_dir)

    def find(self, name: str, choice: int = 0) -> RunningProcess:
        """The process of this name, or one of its living replicas, by ``choice``; raises NotThere."""
        living = self.find_all(name)
        return living[choice % len(living)]

    def find_all(self, name: str) -> list[RunningProcess]:
        """Every living replica; raises NotThere when there is none."""
        processes = state.now(self._data_dir).processes
        living = [process for process in processes if is_replica_of(process.name, name) and process.lives()]
        if not living:
            raise NotThere(name)
        return living

    def all_run(self) -> bool:
        """Whether the supervisor says that everything is there and ready."""
        return state.now(self._data_dir).ready

    def strike(self, name: str, number: signal.Signals = signal.SIGKILL, choice: int = 0) -> int:
        """Send a signal to the process, or to one of its replicas; returns its pid. Raises NotThere."""
        process = self.find(name, choice)
        _send(process.pid, number)
        return process.pid

    def strike_all(self, name: str) -> None:
        """Kill every replica; raises NotThere when there is none."""
        for process in self.find_all(name):
            _send(process.pid, signal.SIGKILL)

    def strike_helper(self, name: str, choice: int) -> int:
        """Kill one of the processes that this one has started for itself; raises NotThere."""
        leader = self.find(name, choice)
        helpers = children_of(leader.pid)
        if not helpers:
            raise NotThere(f"helpers of {name}")
        helper = helpers[choice % len(helpers)]
        if not leader.lives():
            raise NotThere(name)
        _send(helper, signal.SIGKILL)
        return helper

    def strike_session(self, pid: int) -> int:
        """Kill one of PostgreSQL's own processes; raises NotThere when it is not a child of our server."""
        if pid not in children_of(self.find("postgres").pid):
            raise NotThere(f"session {pid}")
        _send(pid, signal.SIGKILL)
        return pid


def children_of(pid: int) -> list[int]:
    """Pids of the living children of a process, the oldest first."""
    entries = (entry for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return sorted(int(entry.name) for entry in entries if _parent(entry) == pid)


def _parent(entry: Path) -> int | None:
    try:
        fields = (entry / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else int(fields[1])


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        raise NotThere(str(pid)) from None
