"""Runs seeds, and the same moves again."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest

from tests.faults.simulation.calm import NeverCalm
from tests.faults.simulation.generator import Generator
from tests.faults.simulation.moves import Move
from tests.faults.simulation.recording import Recording
from tests.faults.simulation.services import CODE_KEY, simulated_chance
from tests.faults.simulation.settling import judge, settle
from tests.faults.simulation.world import World


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a seed came to."""

    seed: int
    moves: list[Move]
    violations: list[str]

    @property
    def failed(self) -> bool:
        return bool(self.violations)


def run_seed(world: World, seed: int) -> Outcome:
    """Make the moves that chance chooses, let everything settle, and judge."""
    made: list[Move] = []
    with simulated_chance(world.clock):
        world.reset(seed)
        try:
            for move in Generator(world, seed).moves():
                made.append(move)
                world.apply(move)
            settle(world)
        except NeverCalm as error:
            return Outcome(seed, made, [str(error)])
        return Outcome(seed, made, judge(world))


def replay(world: World, seed: int, moves: Iterable[Move]) -> Outcome:
    """Make these moves, of which some may not fit any more, let everything settle, and judge."""
    made: list[Move] = []
    with simulated_chance(world.clock):
        world.reset(seed)
        try:
            for move in moves:
                if world.apply(move):
                    made.append(move)  # noqa: PERF401  what was made so far must survive an exception
            settle(world)
        except NeverCalm as error:
            return Outcome(seed, made, [str(error)])
        return Outcome(seed, made, judge(world))


@contextmanager
def recorded(world: World) -> Iterator[list[str]]:
    """Everything that happens in a run within the block, and all that there is at its end."""
    recording = world.recording = Recording(CODE_KEY)
    try:
        yield recording.lines
        recording.end(world)
    finally:
        world.recording = None


def first_difference(world: World, seed: int, lines: list[str]) -> tuple[str, str] | None:
    """Run a seed again: where it went another way than in this recording of it."""
    with recorded(world) as again:
        run_seed(world, seed)
    pairs = zip_longest(lines, again, fillvalue="(the end)")
    return next((pair for pair in pairs if pair[0] != pair[1]), None)
