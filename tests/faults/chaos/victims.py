"""The processes of the system, found by its status.

A process is compared with its start time again before a signal, so that a reused pid is never hit.
"""

import os
import signal
from pathlib import Path

from launcher import state
from launcher.data_dir import DataDir
from launcher.processes import is_replica_of
from launcher.state import RunningProcess


class TargetMissing(Exception):
    """The process does not run: an earlier fault is still in effect."""


class Victims:
    """The processes by name, as ``fastcheck status --json`` reports them."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = DataDir(data_dir)

    def find(self, name: str, choice: int = 0) -> RunningProcess:
        """Return a running replica of this process, selected by ``choice``; raise TargetMissing."""
        living = self.find_all(name)
        return living[choice % len(living)]

    def find_all(self, name: str) -> list[RunningProcess]:
        """Return every running replica; raise TargetMissing without one."""
        processes = state.now(self._data_dir).processes
        living = [process for process in processes if is_replica_of(process.name, name) and process.lives()]
        if not living:
            raise TargetMissing(name)
        return living

    def all_run(self) -> bool:
        """Return whether the supervisor reports that every process is ready."""
        return state.now(self._data_dir).ready

    def strike(self, name: str, number: signal.Signals = signal.SIGKILL, choice: int = 0) -> int:
        """Send a signal to a replica and return its pid; raise TargetMissing."""
        process = self.find(name, choice)
        _send(process.pid, number)
        return process.pid

    def strike_all(self, name: str) -> None:
        """Kill every replica; raise TargetMissing without one."""
        for process in self.find_all(name):
            _send(process.pid, signal.SIGKILL)

    def strike_helper(self, name: str, choice: int) -> int:
        """Kill a child of this process; raise TargetMissing."""
        leader = self.find(name, choice)
        helpers = children_of(leader.pid)
        if not helpers:
            raise TargetMissing(f"helpers of {name}")
        helper = helpers[choice % len(helpers)]
        if not leader.lives():
            raise TargetMissing(name)
        _send(helper, signal.SIGKILL)
        return helper

    def strike_session(self, pid: int) -> int:
        """Kill a process of PostgreSQL; raise TargetMissing if it is not a child of this system's server."""
        if pid not in children_of(self.find("postgres").pid):
            raise TargetMissing(f"session {pid}")
        _send(pid, signal.SIGKILL)
        return pid


def children_of(pid: int) -> list[int]:
    """Return the pids of the running children of a process, oldest first."""
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
        raise TargetMissing(str(pid)) from None
