"""The operator port of real processes: stopped, hanging, without a broker, in several worker processes."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from common.health.progress import MULTIPROCESS_VARIABLE
from deploy.commands import web_command
from deploy.credentials import generate
from deploy.environment import process_environment, system_settings
from deploy.services import BY_NAME, SERVICES
from launcher.children import Child, Launch
from tests.support.bus import Bus
from tests.support.eventually import eventually
from tests.support.own_redis import OwnRedis
from tests.support.probes import HOST, is_alive, is_ready, probe
from tests.support.servers import free_ports
from tests.support.system import ROOT, environment

MODULE = "tests.support.bus_process"
ROLES = ("worker", "relay", "scheduler")


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path)
    yield server
    server.stop()


def start(bus: Bus, role: str, **settings: str) -> tuple[Child, int]:
    """Start a bus process; return it with its operator port."""
    port = next(free_ports())
    child = bus.start(MODULE, role, FASTCHECK_METRICS_PORT=str(port), **settings)
    eventually(lambda: is_ready(port))
    return child, port


def checks(port: int) -> dict[str, str]:
    found: dict[str, str] = probe(port, "/readyz").json().get("checks", {})
    return found


@pytest.mark.parametrize("role", ROLES)
def test_stopped_process_is_not_alive(bus: Bus, role: str) -> None:
    child, port = start(bus, role)
    assert is_alive(port)
    os.kill(child.pid, signal.SIGSTOP)
    try:
        assert not is_alive(port)
    finally:
        os.kill(child.pid, signal.SIGCONT)
    eventually(lambda: is_alive(port))


@pytest.mark.parametrize("role", ROLES)
def test_process_whose_loop_hangs_is_not_alive(bus: Bus, role: str) -> None:
    """SIGRTMIN makes the main thread of the program hang until SIGRTMAX; its other threads run on."""
    child, port = start(bus, role, FASTCHECK_STALLED_AFTER_SECONDS="3")
    os.kill(child.pid, signal.SIGRTMIN)
    try:
        eventually(lambda: probe(port, "/healthz").status == 503)
        assert probe(port, "/healthz").json() == {"status": "stalled", "stalled": ["loop"]}
        assert not is_ready(port)
    finally:
        os.kill(child.pid, signal.SIGRTMAX)
    eventually(lambda: is_alive(port))


def test_idle_process_stays_alive(bus: Bus) -> None:
    """Each loop reports progress although nothing happens: the metric moves."""
    ports = [start(bus, role, FASTCHECK_STALLED_AFTER_SECONDS="3")[1] for role in ROLES]

    def deadlines() -> list[str]:
        found = [
            line
            for port in ports
            for line in probe(port, "/metrics").text.splitlines()
            if line.startswith('fastcheck_progress_deadline_timestamp_seconds{activity="loop"}')
        ]
        assert len(found) == len(ROLES)
        return found

    first = deadlines()
    eventually(lambda: all(now != before for now, before in zip(deadlines(), first, strict=True)))
    assert all(is_alive(port) for port in ports)


def test_bus_processes_are_alive_and_not_ready_without_a_broker(bus: Bus, own_redis: OwnRedis) -> None:
    """A restart would not help, so the prober must not ask for one."""
    ports = {role: start(bus, role, FASTCHECK_BROKER_URL=own_redis.url)[1] for role in ROLES}
    assert {role: checks(port) for role, port in ports.items()} == {
        "worker": {"database": "ok", "broker": "ok"},
        "relay": {"database": "ok", "broker": "ok"},
        "scheduler": {"broker": "ok"},
    }
    own_redis.stop()
    for port in ports.values():
        eventually(lambda port=port: checks(port).get("broker") == "does not answer")  # type: ignore[misc]
        assert is_alive(port)
    own_redis.start()
    for port in ports.values():
        eventually(lambda port=port: is_ready(port), timeout=60)  # type: ignore[misc]


@pytest.fixture
def start_gateway(tmp_path: Path) -> Iterator[Callable[..., tuple[int, int]]]:
    """``start_gateway(cache_url, workers=1)``: a gateway's public port and its operator port."""
    children: list[Child] = []

    def start(cache_url: str, workers: int = 1) -> tuple[int, int]:
        service, ports = BY_NAME["gateway"], free_ports()
        public, operator = next(ports), next(ports)
        addresses = dict.fromkeys(("postgres", "redis", *(each.name for each in SERVICES)), f"{HOST}:{public}")
        user = {
            "FASTCHECK_CACHE_URL": cache_url,
            "FASTCHECK_METRICS_PORT": str(operator),
            "FASTCHECK_STALLED_AFTER_SECONDS": "3",
        }
        settings = system_settings(generate(), addresses, public_url=f"http://{HOST}:{public}", user=user)
        command = [
            f"--workers={workers}" if word.startswith("--workers=") else word
            for word in web_command(service, host=HOST, port=public)
        ]
        metrics = tmp_path / "metrics"
        metrics.mkdir()
        launch = Launch(
            name="gateway-web",
            command=[sys.executable, *command],
            env={
                **environment(process_environment(service, settings)),
                **({MULTIPROCESS_VARIABLE: str(metrics)} if workers > 1 else {}),
            },
            log=tmp_path / "gateway-web.log",
            cwd=ROOT,
        )
        children.append(Child(launch))
        eventually(lambda: is_ready(operator) and is_alive(public))
        return public, operator

    yield start
    for child in children:
        child.ask_to_stop()
        eventually(lambda child=child: child.poll() is not None)  # type: ignore[misc]
        child.end_group()


def test_gateway_is_degraded_while_redis_is_frozen(
    own_redis: OwnRedis, start_gateway: Callable[..., tuple[int, int]]
) -> None:
    public, operator = start_gateway(own_redis.url)
    assert probe(operator, "/readyz").json() == {"status": "ok", "checks": {"cache": "ok"}}
    own_redis.signal(signal.SIGSTOP)
    try:
        frozen: Any = probe(operator, "/readyz")
        assert (frozen.status, frozen.json()) == (200, {"status": "degraded", "checks": {"cache": "does not answer"}})
        assert is_alive(operator)
        assert is_alive(public)
    finally:
        own_redis.signal(signal.SIGCONT)
    eventually(lambda: probe(operator, "/readyz").json()["status"] == "ok")


def test_web_process_serves_health_and_metrics_on_the_operator_port_only(
    cache_url: str, start_gateway: Callable[..., tuple[int, int]]
) -> None:
    public, operator = start_gateway(cache_url)
    assert {path: probe(public, path).status for path in ("/healthz", "/readyz", "/metrics")} == {
        "/healthz": 200,
        "/readyz": 404,
        "/metrics": 404,
    }
    assert 'fastcheck_request_seconds_count{method="GET",route="(none)",status="404"} 2.0' in (
        probe(operator, "/metrics").text
    )


def test_operator_port_covers_all_workers_of_a_web_process(
    cache_url: str, start_gateway: Callable[..., tuple[int, int]]
) -> None:
    """A stopped worker is reported, also if it is the other one that serves the operator port."""
    _, operator = start_gateway(cache_url, workers=2)
    eventually(lambda: len(_worker_pids(operator)) == 2)
    for pid in _worker_pids(operator):
        os.kill(pid, signal.SIGSTOP)
        try:
            eventually(lambda: not is_alive(operator))
        finally:
            os.kill(pid, signal.SIGCONT)
        eventually(lambda: is_alive(operator))


def _worker_pids(operator: int) -> list[int]:
    start = 'fastcheck_progress_deadline_timestamp_seconds{activity="process",pid="'
    lines = probe(operator, "/metrics").text.splitlines()
    return [int(line.removeprefix(start).split('"')[0]) for line in lines if line.startswith(start)]
