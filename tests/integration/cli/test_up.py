"""``fastcheck up`` and ``dev``: start, killed processes, stop, killed supervisor, and restarts with all data."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import psycopg2
import redis
import requests

from deploy.services import SERVICES
from launcher.children import start_ticks
from tests.support.eventually import eventually
from tests.support.system import ROOT, RunningSystem, fastcheck, running, status

PROCESSES = {
    "gateway-proxy",
    "postgres",
    "redis",
    "auditor",
    *(f"{service.name}-{role}" for service in SERVICES for role in ("web", *service.bus_roles)),
}
#: Long, because two systems share the machine.
TIMEOUT_SECONDS = 90
LOGIN = {"login": "alice", "password": "correct horse battery"}


def all_gone(pids: Iterable[int]) -> bool:
    return all(start_ticks(pid) is None for pid in pids)


def signs_in(gateway_url: str) -> bool:
    return requests.post(f"{gateway_url}/login", json=LOGIN, timeout=10).status_code == 200


def test_system_keeps_its_data_through_restarts_and_kills(tmp_path: Path, system: RunningSystem) -> None:
    """The last start is that of ``fastcheck dev``."""
    data_dir = tmp_path / "data"
    output = tmp_path / "data.up.log"

    with running(data_dir) as first:
        assert {process["name"] for process in first.processes} == PROCESSES
        assert first.status()["ready"] is True
        runs_beside(first, system)
        servers_answer(first)
        assert f"A FastCheck is already running in {data_dir}." in fastcheck("up", "--data-dir", str(data_dir)).stderr
        assert requests.post(f"{first.gateway_url}/register", json=LOGIN, timeout=10).status_code == 201
        for name in ("accounts-web", "balance-worker", "postgres", "redis"):
            comes_back_after_a_kill(first, name)
        assert eventually(lambda: signs_in(first.gateway_url), timeout=TIMEOUT_SECONDS)
        before = [process["pid"] for process in first.status()["processes"]]
        supervisor = int((data_dir / "lock").read_text())
        os.kill(supervisor, signal.SIGKILL)
        eventually(lambda: all_gone(before), timeout=TIMEOUT_SECONDS)
    lines = output.read_text().splitlines()
    assert [line for line in lines if line.startswith("FastCheck is ready")] == [
        f"FastCheck is ready: {first.gateway_url}"
    ]
    assert "accounts-web exited (killed by SIGKILL); it restarts in 0.5 s." in lines

    output.unlink()
    with running(data_dir) as second:
        assert signs_in(second.gateway_url), "a kill has lost the user"
        stopped = fastcheck("down", "--data-dir", str(data_dir))
        assert (stopped.returncode, stopped.stdout) == (0, "FastCheck is stopped.\n")
        assert all_gone(process["pid"] for process in second.processes)
    assert not second.status()["ready"]

    dev_serves_a_service_and_restarts_it_when_its_code_changes(data_dir, tmp_path / "dev.log")


def runs_beside(one: RunningSystem, other: RunningSystem) -> None:
    """Assert that systems in two folders share no address."""
    assert other.status()["ready"] is True
    urls = {process["url"] for each in (one, other) for process in each.processes if "url" in process}
    assert len(urls) == 2 * (len(SERVICES) + 2)  # each web process, the gateway's proxy, and the auditor's metrics
    assert one.postgres_url != other.postgres_url
    assert one.redis_url != other.redis_url


def servers_answer(system: RunningSystem) -> None:
    """Assert that ``status`` reports administrator URLs and that the servers store data durably."""
    connection = psycopg2.connect(system.postgres_url)
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper, current_setting('fsync') FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == (True, "on")
    connection.close()
    client = redis.Redis.from_url(system.redis_url, decode_responses=True)
    assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert client.config_get("appendonly") == {"appendonly": "yes"}
    client.close()


def dev_serves_a_service_and_restarts_it_when_its_code_changes(data_dir: Path, log: Path) -> None:
    """Assert that ``fastcheck dev accounts`` runs the rest of the system, too, and ends all of it."""
    with log.open("w") as output:
        command = [sys.executable, "-m", "cli", "dev", "accounts", "--data-dir", str(data_dir)]
        dev = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)
    try:
        eventually(lambda: "FastCheck is ready: " in log.read_text(), timeout=TIMEOUT_SECONDS)
        url = log.read_text().split("FastCheck is ready: ")[1].split()[0]
        running_now = status(data_dir)["processes"]
        assert {process["name"] for process in running_now} == PROCESSES - {"accounts-web"}
        eventually(lambda: signs_in(url), timeout=30)  # else a restart has lost the user
        refused = fastcheck("dev", "checks", "--data-dir", str(data_dir))
        assert (refused.returncode, "already running" in refused.stderr) == (1, True)

        (ROOT / "services" / "accounts" / "app.py").touch()

        eventually(lambda: "detected" in log.read_text(), timeout=TIMEOUT_SECONDS)
        eventually(lambda: signs_in(url), timeout=30)
    finally:
        dev.send_signal(signal.SIGTERM)
        assert dev.wait(timeout=60) == 128 + signal.SIGTERM
    assert all_gone(process["pid"] for process in running_now)
    assert "No FastCheck runs" in fastcheck("status", "--data-dir", str(data_dir)).stdout


def comes_back_after_a_kill(system: RunningSystem, name: str) -> None:
    before = system.pid(name)
    os.kill(before, signal.SIGKILL)
    eventually(
        lambda: name in {process["name"] for process in system.status()["processes"]} and system.pid(name) != before,
        timeout=TIMEOUT_SECONDS,
    )
    eventually(lambda: system.status()["ready"], timeout=TIMEOUT_SECONDS)
