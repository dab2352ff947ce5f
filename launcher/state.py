"""The list of running processes, stored by the supervisor for ``status``, ``down`` and the next ``up``."""

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from launcher.children import signal_group, start_ticks
from launcher.data_dir import DataDir

FILE: Final = "state.json"
LEFTOVER_TIMEOUT_SECONDS: Final = 10.0
POLL_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class RunningProcess:
    """One process; ``started_at_ticks`` distinguishes it from a later process with the same pid."""

    name: str
    pid: int
    started_at_ticks: int
    url: str | None = None
    operator_url: str | None = None

    def lives(self) -> bool:
        return start_ticks(self.pid) == self.started_at_ticks


@dataclass(frozen=True, slots=True)
class State:
    """A snapshot of a system."""

    ready: bool
    gateway_url: str | None
    postgres_url: str | None
    redis_url: str | None
    processes: tuple[RunningProcess, ...] = ()

    def public(self) -> dict[str, Any]:
        """Return the object that ``fastcheck status --json`` prints."""
        return {
            "ready": self.ready,
            "gateway_url": self.gateway_url,
            "postgres_url": self.postgres_url,
            "redis_url": self.redis_url,
            "processes": [
                {
                    "name": process.name,
                    "pid": process.pid,
                    **({"url": process.url} if process.url else {}),
                    **({"operator_url": process.operator_url} if process.operator_url else {}),
                }
                for process in self.processes
            ],
        }


NOTHING_RUNS: Final = State(ready=False, gateway_url=None, postgres_url=None, redis_url=None)


def write(data_dir: DataDir, state: State) -> None:
    """Store the state, replacing the previous one."""
    data_dir.write_json(FILE, asdict(state))


def read(data_dir: DataDir) -> State:
    """Return the stored state, which may be outdated."""
    content = data_dir.read_json(FILE)
    if content is None:
        return NOTHING_RUNS
    processes = tuple(RunningProcess(**process) for process in content.pop("processes"))
    return State(processes=processes, **content)


def now(data_dir: DataDir) -> State:
    """Return the current state; without a supervisor nothing runs, whatever the file says."""
    return NOTHING_RUNS if data_dir.owner() is None else read(data_dir)


def end_leftovers(data_dir: DataDir) -> Sequence[str]:
    """Stop processes that a killed supervisor left; return their names. The caller holds the data folder's lock."""
    left = [process for process in read(data_dir).processes if process.lives()]
    names = [process.name for process in left]
    for process in left:
        # SIGINT is PostgreSQL's fast shutdown; every other process stops on it too.
        signal_group(process.pid, signal.SIGINT)
    deadline = time.monotonic() + LEFTOVER_TIMEOUT_SECONDS
    while (left := [process for process in left if process.lives()]) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    for process in left:
        signal_group(process.pid, signal.SIGKILL)
    write(data_dir, NOTHING_RUNS)
    return names


def stop_supervisor(data_dir: DataDir, timeout_seconds: float) -> bool | None:
    """Stop the supervisor and wait; return ``None`` if none runs, ``False`` if it does not stop in time."""
    pid = data_dir.owner()
    if pid is None:
        return None
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return True
    deadline = time.monotonic() + timeout_seconds
    while data_dir.owner() == pid:
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
