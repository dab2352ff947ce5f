"""Chaos in short: one round of a dozen faults over a system that runs everything twice. `make chaos` is longer."""

from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import pytest

from tests.faults.chaos import picture
from tests.faults.chaos.options import Options
from tests.faults.chaos.run import run

#: The dozen of this seed strikes every part: see :func:`tests.faults.chaos.plan.make_plan`.
SEED: Final = 1
#: The other tests run at the same time on the same few cores: what takes a moment by itself takes long among them.
SETTLE_SECONDS: Final = 90.0
FAULTS: Final = 9
OPERATIONS: Final = 50


@pytest.mark.chaos
def test_nothing_is_lost_and_nothing_is_doubled(tmp_path: Path) -> None:
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
    said: list[str] = []
    outcome = run(options, said.append)
    assert [str(violation) for violation in outcome.violations] == []
    assert len(outcome.happened) >= FAULTS, [struck.done for struck in outcome.struck]
    assert outcome.tally.moving >= OPERATIONS
    assert outcome.longest_settling is not None
    assert outcome.rounds[0].compared["checks"] > 0
    assert "settled" in said[-1]
    assert ET.fromstring(picture.draw(outcome)).tag.endswith("svg")  # noqa: S314  our own picture
