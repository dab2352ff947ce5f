"""The plan, the victims, the reports and the saved seeds."""

import io
import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from rich.console import Console

from launcher import state
from launcher.children import Child, Launch
from launcher.data_dir import DataDir
from launcher.state import RunningProcess, State
from tests.faults.chaos import seeds
from tests.faults.chaos.options import LONGEST_FREEZE_SECONDS, Options
from tests.faults.chaos.outcome import Outcome, Round
from tests.faults.chaos.plan import FAULTS_PER_ROUND, LASTING, Fault, Kind, make_plan
from tests.faults.chaos.report import show
from tests.faults.chaos.victims import TargetMissing, Victims
from tests.faults.record import Operation, Response
from tests.support.eventually import eventually
from tests.support.system import ROOT, environment


def options(tmp_path: Path, minutes: float = 9.0) -> Options:
    return Options(seed=7, minutes=minutes, clients=24, rate=60, out=tmp_path)


def test_seed_determines_the_plan() -> None:
    def plan(seed: int, rounds: int = 5) -> list[list[Fault]]:
        return make_plan(seed, rounds=rounds, striking_seconds=70)

    assert plan(1) == plan(1) != plan(2)
    assert plan(1, rounds=2) == plan(1)[:2], "a shorter run must begin like a longer one"
    faults = [fault for faults in plan(1) for fault in faults]
    assert len(faults) == 5 * FAULTS_PER_ROUND == 65
    assert set(Kind) == {fault.kind for fault in faults}, "five rounds must contain every kind"
    assert all(0 <= fault.at <= 70 for fault in faults)
    assert all((fault.seconds > 0) == (fault.kind in LASTING) for fault in faults)
    assert max(fault.seconds for fault in faults) <= LONGEST_FREEZE_SECONDS


def test_every_process_is_struck_about_equally_often() -> None:
    faults = [fault for faults in make_plan(3, rounds=10, striking_seconds=70) for fault in faults]
    killed = Counter(fault.target for fault in faults if fault.kind in (Kind.WEB, Kind.BUS))
    assert len(killed) == 7 + 10, "seven web servers, and ten processes on the bus"
    assert max(killed.values()) - min(killed.values()) <= 1 + 3, "unequal numbers of faults"


@pytest.fixture
def replicas(tmp_path: Path) -> Iterator[dict[str, Child]]:
    """Yield idle programs as the replicas of a system's process."""
    names = ("checks-web", "checks-web-2", "checks-web-3", "checks-worker")
    data_dir = DataDir(tmp_path)
    data_dir.open()
    with ExitStack() as stack:
        stack.callback(data_dir.close)
        children = {}
        for name in names:
            command = [sys.executable, "-m", "tests.support.programs", "stubborn", str(tmp_path / name)]
            children[name] = Child(Launch(name, command, environment(), tmp_path / "log", cwd=ROOT))
            stack.callback(children[name].end_group)
        processes = (RunningProcess(name, child.pid, child.started_at_ticks or 0) for name, child in children.items())
        state.write(data_dir, State(True, None, None, None, tuple(processes)))
        yield children


def test_choice_selects_among_the_running_replicas(replicas: dict[str, Child], tmp_path: Path) -> None:
    victims = Victims(tmp_path)
    assert [victims.find("checks-web", choice).name for choice in range(4)] == [
        "checks-web",
        "checks-web-2",
        "checks-web-3",
        "checks-web",
    ]
    assert victims.strike("checks-web", choice=1) == replicas["checks-web-2"].pid
    eventually(lambda: [process.name for process in victims.find_all("checks-web")] == ["checks-web", "checks-web-3"])
    victims.strike_all("checks-web")
    eventually(lambda: replicas["checks-web"].poll() is not None and replicas["checks-web-3"].poll() is not None)
    with pytest.raises(TargetMissing):
        victims.find("checks-web")
    assert victims.find("checks-worker").pid == replicas["checks-worker"].pid


def test_report_shows_every_table_and_the_first_violations(tmp_path: Path) -> None:
    outcome = Outcome(options(tmp_path), unanswered=3)
    outcome.operations = [Operation("c-1", "create", "user", responses=[Response(201, {})])]
    outcome.rounds = [Round(1, began=100.0, last_fault=170.0, ended=190.0, settled=4.5), Round(2, began=200.0)]
    outcome.violations = ["a rule: check [bold] is wrong"] * 60
    text = io.StringIO()
    show(Console(file=text, width=200), outcome)
    for expected in ("create", "no response", "4.5", "never", "check [bold]", "and 10 more", "60 violations"):
        assert expected in text.getvalue()
    assert json.loads(json.dumps(outcome.as_json()))["operations"] == 1


def test_short_run_has_one_round(tmp_path: Path) -> None:
    assert options(tmp_path, minutes=0.5).rounds == 1
    assert options(tmp_path, minutes=0.5).striking_seconds == pytest.approx(24)
    assert options(tmp_path).rounds == 5


def test_failed_seed_is_saved_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "seeds.txt"
    file.write_text("# why\n12 9\n")
    monkeypatch.setattr(seeds, "FILE", file)
    seeds.save(34, 0.5)
    seeds.save(12, 9.0)
    assert seeds.read() == [seeds.SavedSeed(12, 9.0), seeds.SavedSeed(34, 0.5)]


def test_saved_seeds_are_unique() -> None:
    assert len({saved.seed for saved in seeds.read()}) == len(seeds.read())
