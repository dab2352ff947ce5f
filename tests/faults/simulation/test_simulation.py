"""Seeds of the simulation: fixed ones, random ones, and seeds with planted defects."""

import random
from collections import Counter
from contextlib import AbstractContextManager
from typing import Any, Final

import pytest

from common.core.grouping import GroupRunner
from tests.faults.defects import DEFECTS, Defect, Target, detected_by
from tests.faults.simulation.runner import Outcome, first_difference, recorded, replay, run_seed
from tests.faults.simulation.services import seeded_uuid
from tests.faults.simulation.shrinking import shrink, trace
from tests.faults.simulation.system import SimulatedSystem

#: Of each fixed start. `make simulation` runs 100.
FIXED_SEEDS: Final = 5
RANDOM_SEEDS: Final = 10
#: Seed 67 found that a request that waited for a check was evaluated at its arrival time.
STARTS: Final = (1, 65, 1_000)
SEEDS_RUN_TWICE: Final = range(1, 4)
SEEDS_FOR_A_DEFECT: Final = 120
SEEDS_FOR_GROUPS: Final = 60
#: What must be in the sentence of a violation, where another violation could come of something else.
SENTENCES: Final = {"event_is_acknowledged_before_the_commit": "is neither processed nor parked"}


def _run(system: SimulatedSystem, start: int, seeds: int) -> None:
    for seed in range(start, start + seeds):
        outcome = run_seed(system, seed)
        assert not outcome.failed, trace(shrink(system, outcome))


@pytest.mark.parametrize("start", STARTS)
def test_fixed_seeds_have_no_violation(system: SimulatedSystem, start: int) -> None:
    _run(system, start, FIXED_SEEDS)


def test_random_seeds_have_no_violation(system: SimulatedSystem) -> None:
    """The trace of a failure names its seed; ``python -m tests.faults.simulation --seed N`` repeats it."""
    _run(system, random.randrange(10**9), RANDOM_SEEDS)


def test_repeated_seed_has_an_equal_recording(system: SimulatedSystem) -> None:
    """The recording holds every move, the state after it, every response, and all rows of all databases.

    Replaying the moves of a seed without its random choices has an equal recording too: shrinking relies on it.
    """
    for seed in SEEDS_RUN_TWICE:
        with recorded(system) as lines:
            outcome = run_seed(system, seed)
        assert len(lines) > len(outcome.moves)
        assert first_difference(system, seed, lines) is None, seed
        with recorded(system) as replayed:
            replay(system, seed, outcome.moves)
        assert replayed == lines, seed


def test_seeds_run_creates_and_accepts_in_groups(system: SimulatedSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    largest: Counter[str] = Counter()
    run = GroupRunner._run

    def recorded_run(runner: Any, group: Any, *arguments: Any) -> Any:
        kind = type(group[0].item).__name__
        largest[kind] = max(largest[kind], len(group))
        return run(runner, group, *arguments)

    monkeypatch.setattr(GroupRunner, "_run", recorded_run)
    for seed in range(1, SEEDS_FOR_GROUPS + 1):
        outcome = run_seed(system, seed)
        assert not outcome.failed, trace(shrink(system, outcome))
        if largest["Creation"] > 1 and largest["Acceptance"] > 1:
            return
    pytest.fail(f"after {SEEDS_FOR_GROUPS} seeds the largest groups are {largest}")


def _first_failure(system: SimulatedSystem, having: str = "") -> Outcome | None:
    """Return the outcome of the first seed with a violation, optionally one whose sentence contains ``having``."""
    for seed in range(1, SEEDS_FOR_A_DEFECT + 1):
        outcome = run_seed(system, seed)
        if any(having in violation for violation in outcome.violations):
            return outcome
    return None


def _planted(system: SimulatedSystem, defect: Defect) -> AbstractContextManager[Any]:
    return defect.plant(Target(system.services.consumers, system.services.keys["balance"], seeded_uuid))


@pytest.mark.parametrize("defect", detected_by("simulation"), ids=lambda defect: defect.name)
def test_planted_defect_is_detected_by_one_of_the_first_seeds(system: SimulatedSystem, defect: Defect) -> None:
    with _planted(system, defect):
        assert _first_failure(system, SENTENCES.get(defect.name, "")) is not None, defect.breaks


def test_failure_is_shrunk_to_at_most_30_moves(system: SimulatedSystem) -> None:
    with _planted(system, DEFECTS["refusal_is_not_final"]):
        failed = _first_failure(system)
        assert failed is not None
        shrunk = shrink(system, failed)
    assert shrunk.failed
    assert len(shrunk.moves) <= 30 < len(failed.moves)
    assert not replay(system, shrunk.seed, shrunk.moves).failed, "without the defect the same moves are harmless"
