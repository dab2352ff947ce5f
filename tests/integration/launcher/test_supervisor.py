"""The supervisor with real processes: restarts, ordered stop, no process left behind."""

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
    """Return ``start("polite", ...)``, which runs a supervisor with these programs and waits until it is ready."""
    started: list[subprocess.Popen[str]] = []

    def run(*names: str, ready: bool = True) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.small_system", str(tmp_path), *names],
            env=environment(),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=(tmp_path / "stderr").open("w"),
            text=True,
        )
        started.append(process)
        if ready:
            assert process.stdout is not None
            assert process.stdout.readline() == "READY\n", stderr(tmp_path)
        return process

    yield run
    for process in started:
        process.terminate()
        process.communicate(timeout=30)


def stderr(folder: Path) -> str:
    return (folder / "stderr").read_text()


def pids(folder: Path, program: str) -> list[int]:
    """Return all pids of this program and its helpers, the oldest first."""
    file = folder / f"{program}.txt"
    lines = file.read_text().splitlines() if file.exists() else []
    return [int(line) for line in lines if line.isdigit()]


def gone(pid: int) -> bool:
    return start_ticks(pid) is None


def test_killed_process_is_restarted_and_reported(start: Start, tmp_path: Path) -> None:
    start("polite")
    (first,) = pids(tmp_path, "polite")
    os.kill(first, signal.SIGKILL)
    eventually(lambda: len(pids(tmp_path, "polite")) == 2)
    eventually(lambda: "polite is ready again." in stderr(tmp_path))
    assert "polite exited (killed by SIGKILL); it restarts in 0.5 s." in stderr(tmp_path)


def test_restart_delay_grows_with_repeated_exits(start: Start, tmp_path: Path) -> None:
    start("polite")
    for deaths in (1, 2):
        alive = eventually(lambda deaths=deaths: pids(tmp_path, "polite")[deaths - 1 :])[0]  # type: ignore[misc]
        os.kill(alive, signal.SIGKILL)
    eventually(lambda: "restarts in 0.5 s." in stderr(tmp_path) and "restarts in 1 s." in stderr(tmp_path))


def test_process_group_of_an_exited_process_is_killed_before_the_restart(start: Start, tmp_path: Path) -> None:
    start("with_helper")
    eventually(lambda: len(pids(tmp_path, "with_helper")) == 2)
    helper, leader = sorted(pids(tmp_path, "with_helper"), key=lambda pid: os.getpgid(pid) == pid)
    os.kill(leader, signal.SIGKILL)
    eventually(lambda: gone(helper))
    eventually(lambda: len(pids(tmp_path, "with_helper")) == 4)


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux only")
def test_orphan_outside_of_the_process_group_is_killed(start: Start, tmp_path: Path) -> None:
    start("with_runaway")
    eventually(lambda: len(pids(tmp_path, "with_runaway")) == 2)
    leader, helper = _leader_first(tmp_path)
    os.kill(leader, signal.SIGKILL)
    eventually(lambda: gone(helper))
    eventually(lambda: len(pids(tmp_path, "with_runaway")) == 4)


def _leader_first(folder: Path) -> tuple[int, int]:
    """Return the pids of the leader and its helper, which write them in either order."""
    first, second = pids(folder, "with_runaway")
    parent = Path(f"/proc/{second}/stat").read_text().rpartition(")")[2].split()[1]
    return (first, second) if int(parent) == first else (second, first)


def test_stop_ends_the_stages_in_reverse_order(start: Start, tmp_path: Path) -> None:
    process = start("polite@SERVERS", "stubborn@GATEWAY")
    process.send_signal(signal.SIGTERM)
    eventually(lambda: "stubborn was asked" in (tmp_path / "stubborn.txt").read_text())
    assert "polite stopped" not in (tmp_path / "polite.txt").read_text()
    # Two more signals end its grace period at once; the server of the earlier stage keeps its own.
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=10) == 0
    assert "Killed because it did not stop in time: stubborn." in stderr(tmp_path)
    assert "polite stopped" in (tmp_path / "polite.txt").read_text()
    assert all(gone(pid) for name in ("polite", "stubborn") for pid in pids(tmp_path, name))


def test_no_process_survives_a_killed_supervisor(start: Start, tmp_path: Path) -> None:
    process = start("polite", "with_helper")
    eventually(lambda: len(pids(tmp_path, "with_helper")) == 2)
    process.kill()
    for pid in (*pids(tmp_path, "polite"), *pids(tmp_path, "with_helper")):
        eventually(lambda pid=pid: gone(pid))  # type: ignore[misc]
    assert "polite stopped" in (tmp_path / "polite.txt").read_text(), "it was killed without being asked to stop"


def test_process_that_cannot_start_is_reported_with_the_reason(start: Start, tmp_path: Path) -> None:
    process = start("polite", "failing", ready=False)
    assert process.wait(timeout=30) == 1
    assert "failing did not start (exit code 1): the settings are not complete" in stderr(tmp_path)
    assert all(gone(pid) for pid in pids(tmp_path, "polite"))


def test_stop_during_the_start_leaves_no_process(start: Start, tmp_path: Path) -> None:
    process = start("polite", "never_ready", ready=False)
    eventually((tmp_path / "polite.txt").exists)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 0
    assert all(gone(pid) for pid in pids(tmp_path, "polite"))
