"""The supervisor over real processes: starts again what dies, stops in order, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from launcher.children import start_ticks
from tests.support.eventually import eventually
from tests.support.system import ROOT, environment

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """``start("polite", ...)`` runs a supervisor with these programs and waits until it is ready."""
    started: list[subprocess.Popen[str]] = []

    def run(*names: str, ready: bool = True) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.small_system", str(tmp_path), *names],
            env=environment(),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=(tmp_path / "said").open("w"),
            text=True,
        )
        started.append(process)
        if ready:
            assert process.stdout is not None
            assert process.stdout.readline() == "READY\n", said(tmp_path)
        return process

    yield run
    for process in started:
        process.terminate()
        process.communicate(timeout=30)


def said(folder: Path) -> str:
    return (folder / "said").read_text()


def pids(folder: Path, program: str) -> list[int]:
    """All pids that this program has had, and those of its helpers, the oldest first."""
    file = folder / f"{program}.txt"
    lines = file.read_text().splitlines() if file.exists() else []
    return [int(line) for line in lines if line.isdigit()]


def gone(pid: int) -> bool:
    return start_ticks(pid) is None


def test_what_dies_is_started_again_and_it_says_so(start: Start, tmp_path: Path) -> None:
    start("polite")
    (first,) = pids(tmp_path, "polite")
    os.kill(first, signal.SIGKILL)
    eventually(lambda: len(pids(tmp_path, "polite")) == 2)
    eventually(lambda: "polite is ready again." in said(tmp_path))
    assert "polite exited (killed by SIGKILL); it restarts in 0.5 s." in said(tmp_path)


def test_the_delay_grows_while_it_keeps_dying(start: Start, tmp_path: Path) -> None:
    start("polite")
    for deaths in (1, 2):
        alive = eventually(lambda deaths=deaths: pids(tmp_path, "polite")[deaths - 1 :])[0]  # type: ignore[misc]
        os.kill(alive, signal.SIGKILL)
    eventually(lambda: "restarts in 0.5 s." in said(tmp_path) and "restarts in 1 s." in said(tmp_path))


def test_a_dead_leaders_helpers_are_ended_before_it_is_started_again(start: Start, tmp_path: Path) -> None:
    start("with_helper")
    eventually(lambda: len(pids(tmp_path, "with_helper")) == 2)
    helper, leader = sorted(pids(tmp_path, "with_helper"), key=lambda pid: os.getpgid(pid) == pid)
    os.kill(leader, signal.SIGKILL)
    eventually(lambda: gone(helper))
    eventually(lambda: len(pids(tmp_path, "with_helper")) == 4)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody adopts orphans")
def test_a_helper_that_left_the_group_is_ended_too(start: Start, tmp_path: Path) -> None:
    start("with_runaway")
    eventually(lambda: len(pids(tmp_path, "with_runaway")) == 2)
    leader, helper = _leader_first(tmp_path)
    os.kill(leader, signal.SIGKILL)
    eventually(lambda: gone(helper))
    eventually(lambda: len(pids(tmp_path, "with_runaway")) == 4)


def _leader_first(folder: Path) -> tuple[int, int]:
    """The leader and its helper, of whom either may have been first to write its pid."""
    first, second = pids(folder, "with_runaway")
    parent = Path(f"/proc/{second}/stat").read_text().rpartition(")")[2].split()[1]
    return (first, second) if int(parent) == first else (second, first)


def test_a_stop_goes_stage_by_stage_from_the_last_to_the_first(start: Start, tmp_path: Path) -> None:
    process = start("polite@SERVERS", "stubborn@GATEWAY")
    process.send_signal(signal.SIGTERM)
    eventually(lambda: "stubborn was asked" in (tmp_path / "stubborn.txt").read_text())
    assert "polite stopped" not in (tmp_path / "polite.txt").read_text()
    # Two more requests end its time at once; the server below it still gets its own.
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=10) == 0
    assert "Killed because it did not stop in time: stubborn." in said(tmp_path)
    assert "polite stopped" in (tmp_path / "polite.txt").read_text()
    assert all(gone(pid) for name in ("polite", "stubborn") for pid in pids(tmp_path, name))


def test_nothing_is_left_when_the_supervisor_is_killed(start: Start, tmp_path: Path) -> None:
    process = start("polite", "with_helper")
    eventually(lambda: len(pids(tmp_path, "with_helper")) == 2)
    process.kill()
    for pid in (*pids(tmp_path, "polite"), *pids(tmp_path, "with_helper")):
        eventually(lambda pid=pid: gone(pid))  # type: ignore[misc]
    assert "polite stopped" in (tmp_path / "polite.txt").read_text(), "it was not asked, it was killed"


def test_who_cannot_start_is_named_with_the_reason(start: Start, tmp_path: Path) -> None:
    process = start("polite", "failing", ready=False)
    assert process.wait(timeout=30) == 1
    assert "failing did not start (exit code 1): the settings are not complete" in said(tmp_path)
    assert all(gone(pid) for pid in pids(tmp_path, "polite"))


def test_a_stop_while_starting_leaves_nothing(start: Start, tmp_path: Path) -> None:
    process = start("polite", "never_ready", ready=False)
    eventually((tmp_path / "polite.txt").exists)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 0
    assert all(gone(pid) for pid in pids(tmp_path, "polite"))
