"""Runs seeds, and the same moves again."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.simulation.calm import NeverCalm
from tests.simulation.generator import Generator
from tests.simulation.moves import Move
from tests.simulation.services import simulated_chance
from tests.simulation.settling import judge, settle
from tests.simulation.world import World


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a seed came to. ``trace``: every answer that a client got, for comparing two runs."""

    seed: int
    moves: list[Move]
    violations: list[str]
    trace: list[str] = field(default_factory=list)
    wishes: int = 0

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
        return _outcome(world, seed, made)


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
        return _outcome(world, seed, made)


def _outcome(world: World, seed: int, made: list[Move]) -> Outcome:
    trace = [
        f"{name} {asked.wish}: {[(told.status, told.body) for told in asked.told]}"
        for name, asked in world.clients.asked.items()
    ]
    return Outcome(seed, made, judge(world), trace, len(world.clients.asked))
