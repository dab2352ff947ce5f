"""Runs seeds, and replays moves."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest

from tests.faults.simulation.generator import Generator
from tests.faults.simulation.moves import Move
from tests.faults.simulation.quiescence import NotQuiescent
from tests.faults.simulation.recording import Recording
from tests.faults.simulation.services import CODE_KEY, simulated_randomness
from tests.faults.simulation.settling import evaluate, settle
from tests.faults.simulation.system import SimulatedSystem


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a seed."""

    seed: int
    moves: list[Move]
    violations: list[str]

    @property
    def failed(self) -> bool:
        return bool(self.violations)


def run_seed(system: SimulatedSystem, seed: int) -> Outcome:
    """Apply random moves, settle, and evaluate."""
    return replay(system, seed, Generator(system, seed).moves())


def replay(system: SimulatedSystem, seed: int, moves: Iterable[Move]) -> Outcome:
    """Apply these moves, skip those that do not fit, settle, and evaluate."""
    made: list[Move] = []
    with simulated_randomness(system.clock, lambda: system.scheduler):
        system.reset(seed)
        try:
            for move in moves:
                made.append(move)
                if not system.apply(move):
                    made.pop()
            settle(system)
        except NotQuiescent as error:
            return Outcome(seed, made, [str(error)])
        return Outcome(seed, made, evaluate(system))


@contextmanager
def recorded(system: SimulatedSystem) -> Iterator[list[str]]:
    """Record a run within the block, and the final state."""
    recording = system.recording = Recording(CODE_KEY)
    try:
        yield recording.lines
        recording.end(system)
    finally:
        system.recording = None


def first_difference(system: SimulatedSystem, seed: int, lines: list[str]) -> tuple[str, str] | None:
    """Repeat a seed; return the first pair of lines that differ, or None."""
    with recorded(system) as again:
        run_seed(system, seed)
    pairs = zip_longest(lines, again, fillvalue="(the end)")
    return next((pair for pair in pairs if pair[0] != pair[1]), None)
