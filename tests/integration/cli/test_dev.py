"""``fastcheck dev``: one process in the foreground, the rest of the system around it."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.support.eventually import eventually
from tests.support.system import fastcheck

ROOT = Path(__file__).resolve().parents[3]
START_SECONDS = 90


def test_dev_serves_the_chosen_service_and_restarts_it_when_its_code_changes(tmp_path: Path) -> None:
    data_dir, log = tmp_path / "data", tmp_path / "dev.log"
    with log.open("w") as output:
        dev = subprocess.Popen(
            [sys.executable, "-m", "cli", "dev", "accounts", "--data-dir", str(data_dir)],
            cwd=ROOT,
            stdout=output,
            stderr=output,
        )
    try:
        eventually(lambda: "FastCheck is ready: " in log.read_text(), timeout=START_SECONDS)
        url = log.read_text().split("FastCheck is ready: ")[1].split()[0]
        assert "accounts-web" not in fastcheck("status", "--data-dir", str(data_dir)).stdout
        guest = {"login": "alice", "password": "correct horse battery"}
        eventually(lambda: requests.post(f"{url}/register", json=guest, timeout=10).status_code == 201, timeout=30)
        refused = fastcheck("dev", "checks", "--data-dir", str(data_dir))
        assert (refused.returncode, "already running" in refused.stderr) == (1, True)

        (ROOT / "services" / "accounts" / "app.py").touch()

        eventually(lambda: "detected" in log.read_text(), timeout=START_SECONDS)
        eventually(lambda: requests.post(f"{url}/login", json=guest, timeout=10).status_code == 200, timeout=30)
    finally:
        dev.send_signal(signal.SIGTERM)
        assert dev.wait(timeout=60) == 128 + signal.SIGTERM
    assert "No FastCheck runs" in fastcheck("status", "--data-dir", str(data_dir)).stdout


@pytest.mark.parametrize(("service", "role"), [("gateway", "worker"), ("balance", "relay")])
def test_dev_names_the_processes_that_a_service_has(tmp_path: Path, service: str, role: str) -> None:
    refused = fastcheck("dev", service, "--role", role, "--data-dir", str(tmp_path / "data"))
    assert refused.returncode == 1
    assert f"{service} has no process '{role}'; it has: web" in refused.stderr
