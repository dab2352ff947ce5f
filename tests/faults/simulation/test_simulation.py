"""Seeds of the simulation: the same ones every time, and some by chance whose number is in the test's name."""

import random
from contextlib import AbstractContextManager
from typing import Any, Final

import pytest

from tests.faults.defects import DEFECTS, Defect, Target, detected_by
from tests.faults.simulation.runner import Outcome, first_difference, recorded, replay, run_seed
from tests.faults.simulation.services import seeded_uuid
from tests.faults.simulation.shrinking import shrink, story
from tests.faults.simulation.world import World

SEEDS_OF_ONE_TEST: Final = 20
#: 67 found that who waited for a check was judged by the time at which he had come.
STARTS: Final = (1, 61, 1_000)
SEEDS_RUN_TWICE: Final = range(1, 11)
SEEDS_FOR_A_DEFECT: Final = 120


def _run(world: World, start: int) -> None:
    for seed in range(start, start + SEEDS_OF_ONE_TEST):
        outcome = run_seed(world, seed)
        assert not outcome.failed, story(shrink(world, outcome))


@pytest.mark.parametrize("start", STARTS)
def test_nothing_is_lost_or_made_whatever_the_scheduler_does(world: World, start: int) -> None:
    _run(world, start)


def test_nor_with_seeds_that_nobody_has_tried(world: World) -> None:
    """The story of a failure names its seed; ``python -m tests.faults.simulation --seed N`` tells it again."""
    _run(world, random.randrange(10**9))


def test_a_seed_does_the_same_again(world: World) -> None:
    """Every move, where it left everybody, every answer, and in the end every row of every database.

    The moves of a seed, made without its chance, do the same too: from that a failure is shrunk.
    """
    for seed in SEEDS_RUN_TWICE:
        with recorded(world) as lines:
            outcome = run_seed(world, seed)
        assert len(lines) > len(outcome.moves)
        assert first_difference(world, seed, lines) is None, seed
        with recorded(world) as replayed:
            replay(world, seed, outcome.moves)
        assert replayed == lines, seed


def _first_failure(world: World) -> Outcome | None:
    for seed in range(1, SEEDS_FOR_A_DEFECT + 1):
        outcome = run_seed(world, seed)
        if outcome.failed:
            return outcome
    return None


def _planted(world: World, defect: Defect) -> AbstractContextManager[Any]:
    return defect.plant(Target(world.services.consumers, seeded_uuid))


@pytest.mark.parametrize("defect", detected_by("simulation"), ids=lambda defect: defect.name)
def test_planted_defect_is_detected_by_one_of_the_first_seeds(world: World, defect: Defect) -> None:
    with _planted(world, defect):
        assert _first_failure(world) is not None, defect.breaks


def test_a_failure_is_shrunk_to_what_matters(world: World) -> None:
    with _planted(world, DEFECTS["refusal_is_not_final"]):
        failed = _first_failure(world)
        assert failed is not None
        shrunk = shrink(world, failed)
    assert shrunk.failed
    assert len(shrunk.moves) <= 30 < len(failed.moves)
    assert not replay(world, shrunk.seed, shrunk.moves).failed, "without the defect the same moves are harmless"
