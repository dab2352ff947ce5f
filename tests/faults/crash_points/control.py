"""A page of memory that the test shares with all processes: what to do at a point, and the offset of the clock.

The test writes and the processes read. It is a memory-mapped file, so that reading costs no system call.
"""

import mmap
import os
import struct
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final, Self

#: The processes that can be killed. The shared page identifies a role by its index.
ROLES: Final = (
    "gateway", "accounts", "balance", "checks", "payments", "bank",
    "balance-worker", "checks-worker", "payments-worker", "checks-relay", "payments-relay",
    "checks-scheduler", "payments-scheduler", "balance-scheduler", "bank-sender", "operator", "background",
)  # fmt: skip

_PLAN: Final = struct.Struct("<IIIII")
_AHEAD: Final = struct.Struct("<d")
_AHEAD_OFFSET: Final = 64
_SIZE: Final = 4096


class Mode(IntEnum):
    """What happens at a point."""

    PASS = 0
    COUNT = 1
    KILL = 2


class Side(IntEnum):
    """Side of a point. ``BEFORE``: nothing has left the process. ``AFTER``: the effect has happened."""

    BEFORE = 0
    AFTER = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """What processes do at points. A new ``run`` resets the counters of all processes."""

    run: int
    mode: Mode = Mode.PASS
    role: str = ROLES[0]
    ordinal: int = 0
    side: Side = Side.BEFORE


class Control:
    """The shared page."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), _SIZE)

    @classmethod
    def create(cls, path: Path) -> Self:
        path.write_bytes(bytes(_SIZE))
        return cls(path)

    def plan(self) -> Plan:
        run, mode, role, ordinal, side = _PLAN.unpack_from(self._page)
        return Plan(run, Mode(mode), ROLES[role], ordinal, Side(side))

    def write(self, plan: Plan) -> None:
        packed = _PLAN.pack(plan.run, plan.mode, ROLES.index(plan.role), plan.ordinal, plan.side)
        self._page[: len(packed)] = packed

    @property
    def clock_ahead(self) -> float:
        """Return how many seconds all clocks are ahead of the machine's."""
        seconds: float = _AHEAD.unpack_from(self._page, _AHEAD_OFFSET)[0]
        return seconds

    @clock_ahead.setter
    def clock_ahead(self, seconds: float) -> None:
        _AHEAD.pack_into(self._page, _AHEAD_OFFSET, seconds)


@dataclass(frozen=True, slots=True)
class Passed:
    """One side of a point that a process reached."""

    run: int
    role: str
    ordinal: int
    side: Side
    kind: str
    label: str

    def line(self) -> bytes:
        return "\t".join(map(str, (self.run, self.role, self.ordinal, int(self.side), self.kind, self.label))).encode()

    @classmethod
    def of(cls, line: str) -> Self:
        run, role, ordinal, side, kind, label = line.split("\t", 5)
        return cls(int(run), role, int(ordinal), Side(int(side)), kind, label)


class Trace:
    """The points that processes reached, in a file to which each process appends lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)

    def add(self, passed: Passed) -> None:
        os.write(self._file, passed.line() + b"\n")  # a single write in append mode is atomic

    def of_run(self, run: int) -> list[Passed]:
        found = [Passed.of(line) for line in self.path.read_text().splitlines()]
        return [passed for passed in found if passed.run == run]

    def clear(self) -> None:
        os.truncate(self.path, 0)
