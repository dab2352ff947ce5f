"""The servers of a test run start on demand and end with the run, even when it is killed."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from launcher.children import start_ticks
from tests.support.eventually import eventually
from tests.support.servers import VARIABLE
from tests.support.system import ROOT

WITHOUT_SERVERS: Final = """
from tests.support.servers import run_folder

def test_without_servers():
    assert [path.name for path in run_folder().iterdir()] == ["run.lock"]
"""

#: Stops a backend as a simulation does, reports what runs, and waits to be killed.
STOPS_A_BACKEND: Final = """
import os
import signal
from pathlib import Path

import psycopg2

def test_until_killed(test_servers):
    connection = psycopg2.connect(test_servers.postgres_url("postgres"))
    backend = connection.info.backend_pid
    os.kill(backend, signal.SIGSTOP)
    Path("report.unfinished").write_text(f"{os.getpid()} {backend} {test_servers.folder}")
    Path("report.unfinished").rename("report")
    signal.pause()
"""


def test_run_without_server_tests_starts_no_server(tmp_path: Path) -> None:
    run = _pytest(tmp_path, WITHOUT_SERVERS, workers="2")
    output, _ = run.communicate(timeout=120)
    assert run.returncode == 0, output


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_killed_run_leaves_no_process_and_no_folder(tmp_path: Path, workers: str) -> None:
    run = _pytest(tmp_path, STOPS_A_BACKEND, workers)
    try:
        report = tmp_path / "report"
        eventually(lambda: report.exists() or run.poll() is not None, timeout=120)
        tester, backend, folder = report.read_text().split()
        postgres = _parent(int(backend))
        host = _parent(postgres)
        processes = {int(tester), int(backend), *_children(postgres), postgres, *_children(host), host}
    finally:
        run.kill()
        run.communicate()
    # PostgreSQL kills a stopped backend after 5 s; xdist gives a worker without a controller 15 s.
    eventually(lambda: not {pid for pid in processes if start_ticks(pid) is not None}, timeout=60)
    assert not Path(folder).exists()


def _pytest(folder: Path, source: str, workers: str) -> "subprocess.Popen[str]":
    """Start a test run of one file with the fixtures of this one's ``conftest.py``."""
    (folder / "test_sample.py").write_text(source)
    (folder / "pytest.ini").write_text("[pytest]\n")
    # Not the servers of the run that this test belongs to: it would stop their backends.
    inherited = {name: value for name, value in os.environ.items() if name != VARIABLE}
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "xdist", "-p", "tests.conftest", "-n", workers, "test_sample.py"],
        cwd=folder,
        env={**inherited, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _children(pid: int) -> set[int]:
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
