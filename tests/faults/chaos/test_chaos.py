"""A short chaos run: one round of faults on a system with two replicas. `make chaos` runs longer."""

from pathlib import Path
from typing import Final

import pytest

from tests.faults.chaos.options import Options
from tests.faults.chaos.run import run

#: The faults of this seed strike every part, see :func:`tests.faults.chaos.plan.make_plan`.
SEED: Final = 1
#: Other tests run on the same cores, so settling takes longer than in a run of its own.
SETTLE_SECONDS: Final = 90.0
FAULTS: Final = 9
OPERATIONS: Final = 50


@pytest.mark.chaos
def test_short_run_with_two_replicas_has_no_violations(tmp_path: Path) -> None:
    options = Options(
        seed=SEED,
        minutes=0.5,
        clients=8,
        rate=25,
        out=tmp_path / "out",
        settle_seconds=SETTLE_SECONDS,
        keep=True,
        replicas=2,
    )
    messages: list[str] = []
    outcome = run(options, messages.append)
    assert outcome.violations == []
    assert len(outcome.happened) >= FAULTS, [struck.done for struck in outcome.struck]
    assert outcome.moving >= OPERATIONS
    assert outcome.longest_settling is not None
    assert outcome.rounds[0].compared["checks"] > 0
    assert "settled" in messages[-1]
