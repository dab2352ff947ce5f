"""Comparing two commits: the checkout, the table and the charts."""

import subprocess
from array import array
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner

from benchmarks import checkouts, compare, curves, side_by_side
from benchmarks.comparison import ACCEPT, CREATE, OPERATIONS, READ, Plan, Subject
from benchmarks.load import Outcome

PLAN = Plan(clients=(1, 32), rounds=3, seconds=1.0)


def _outcome(done: int, latency: float) -> Outcome:
    return Outcome(array("d", [latency] * done), Counter({200: done}), began=0.0, ended=1.0, processes=1)


def _subject(name: str, rates: tuple[int, ...]) -> Subject:
    rounds = {
        (operation, clients): [(_outcome(rate, 1 / rate), {"postgres": 0.5, "redis": 0.0001}) for rate in rates]
        for operation in OPERATIONS
        for clients in PLAN.clients
    }
    return Subject(name, cast("Any", None), rounds=rounds)


def test_a_ratio_is_the_median_of_the_ratios_of_the_rounds() -> None:
    # Medians 100 and 150; the rounds one by one give 2.0, 1.5 and 2.0.
    text = side_by_side.table(_subject("old", (50, 100, 200)), _subject("new", (100, 150, 400)), PLAN)
    row = next(line for line in text.splitlines() if line.startswith(f"| {CREATE} | 32 |"))
    assert row == (
        "| create | 32 | 100 → 150 (2.00) | 10.0 → 6.7 (0.50) | 10.0 → 6.7 (0.50) | 5.00 → 3.33 (0.50) | 0 → 0 |"
    )
    assert "| accept | 1 | postgres 5.00 → 3.33 |" in text


def test_charts_hold_a_line_per_operation_and_system_and_load_nothing(tmp_path: Path) -> None:
    curves.write(tmp_path / "charts", _subject("old", (50,)).series(PLAN) | _subject("new", (100,)).series(PLAN))
    files = sorted(file.name for file in (tmp_path / "charts").iterdir())
    assert files == ["cpu.svg", "p50.svg", "p99.svg", "throughput.svg"]
    chart = (tmp_path / "charts" / "throughput.svg").read_text()
    for operation in (READ, CREATE, ACCEPT):
        assert f"{operation}, old" in chart
        assert f"{operation}, new" in chart
    assert 'href="http' not in chart
    assert "src=" not in chart


@pytest.mark.parametrize("text", ["0,1", "one"])
def test_numbers_of_clients_are_checked(text: str) -> None:
    result = CliRunner().invoke(compare.main, ["HEAD", "--clients", text])
    assert result.exit_code == 2
    assert "--clients" in result.output


def test_pins_that_the_environment_does_not_satisfy_are_found() -> None:
    click = metadata.version("click")
    lock = "\n".join(
        [
            f"click=={click} \\",
            "    --hash=sha256:00",
            "    # via fastcheck",
            "no-such-package==1.0 \\",
            "    --hash=sha256:00",
            "flask==0.1 ; python_version >= '3.0' \\",
            "    --hash=sha256:00",
            "colorama==0.4.6 ; sys_platform == 'win32' \\",
            "    --hash=sha256:00",
        ]
    )
    missing = checkouts.missing_pins(lock)
    assert [pin.split("==")[0] for pin in missing] == ["no-such-package", "flask"]


def _git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_a_commit_is_built_in_a_worktree_that_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _git(tmp_path, "init", "--quiet")
    for content in ("", "# later"):
        (tmp_path / "requirements.txt").write_text(content)
        _git(tmp_path, "add", ".")
        _git(tmp_path, "commit", "--quiet", "-m", "x")
    monkeypatch.setattr(checkouts, "ROOT", tmp_path)
    with checkouts.built("HEAD~1") as checkout:
        assert (checkout.folder / "requirements.txt").read_text() == ""
        assert checkout.environment()["PYTHONPATH"] == str(checkout.folder)
        assert checkout.python == checkouts.PRESENT.python
    assert not checkout.folder.exists()
    assert len(_git(tmp_path, "worktree", "list").splitlines()) == 1
    assert checkouts.short_name("HEAD") == _git(tmp_path, "rev-parse", "--short", "HEAD")


def test_an_unknown_commit_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="git rev-parse failed"):
        checkouts.short_name("no-such-commit")
