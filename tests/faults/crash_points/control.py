"""A page of memory that the test and all processes share: what to do at a point, and what time it is.

The test writes, the processes read. It is a file, mapped by everybody, so that it costs nothing to look.
"""

import mmap
import os
import struct
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final, Self

#: Everybody who can die. The place in this list is what the page says of him.
ROLES: Final = (
    "gateway", "accounts", "balance", "checks", "payments", "bank",
    "balance-worker", "checks-worker", "payments-worker", "checks-relay", "payments-relay",
    "checks-scheduler", "payments-scheduler", "balance-scheduler", "bank-sender", "operator", "background",
)  # fmt: skip

_PLAN: Final = struct.Struct("<IIIII")
_LEAP: Final = struct.Struct("<d")
_LEAP_PLACE: Final = 64
_SIZE: Final = 4096


class Mode(IntEnum):
    """What happens at a point."""

    PASS = 0
    COUNT = 1
    KILL = 2


class Side(IntEnum):
    """On which side of a point: ``before``, nothing has left the process yet; ``after``, it is done."""

    BEFORE = 0
    AFTER = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """``run`` is another number each time: with it, every process counts from the beginning."""

    run: int
    mode: Mode = Mode.PASS
    role: str = ROLES[0]
    ordinal: int = 0
    side: Side = Side.BEFORE


class Control:
    """The page."""

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
    def leap(self) -> float:
        """So many seconds is everybody's clock ahead of the machine's."""
        seconds: float = _LEAP.unpack_from(self._page, _LEAP_PLACE)[0]
        return seconds

    @leap.setter
    def leap(self, seconds: float) -> None:
        _LEAP.pack_into(self._page, _LEAP_PLACE, seconds)


@dataclass(frozen=True, slots=True)
class Passed:
    """One side of one point that a process has come by."""

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
    """What the processes have come by, in a file that each of them adds lines to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)

    def add(self, passed: Passed) -> None:
        os.write(self._file, passed.line() + b"\n")  # one write to a file that is appended to is whole

    def of_run(self, run: int) -> list[Passed]:
        found = [Passed.of(line) for line in self.path.read_text().splitlines()]
        return [passed for passed in found if passed.run == run]

    def clear(self) -> None:
        os.truncate(self.path, 0)
