"""Health of a process: progress by deadlines, readiness by dependencies, and the routes of the operator port."""

import json
import math
import threading
import time
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Gauge
from werkzeug.test import Client

from common.core.errors import ServiceUnavailable
from common.health import readiness
from common.health.operator_port import create_operator_app
from common.health.progress import DEADLINE, Activity, RunningTasks, stalled
from common.health.readiness import Check, Readiness, State

PAST, FUTURE = -1.0, 60.0


@pytest.fixture(autouse=True)
def no_other_activity() -> Iterator[None]:
    """Progress is a metric of the process, which other tests report too."""
    DEADLINE.clear()
    yield
    DEADLINE.clear()


def responds() -> None:
    """A dependency that is available."""


def fails() -> None:
    raise ServiceUnavailable


def client(needed: dict[str, Check], optional: dict[str, Check] | None = None) -> Client:
    return Client(create_operator_app(Readiness(needed, optional)))


def test_activity_is_stalled_after_its_deadline_only() -> None:
    loop, scan = Activity("loop", FUTURE), Activity("scan", PAST)
    assert stalled() == [], "an activity counts from its first report on"
    loop.report()
    scan.report()
    assert stalled() == ["scan"]
    scan.report(idle_seconds=FUTURE)
    assert stalled() == [], "an idle time extends the deadline"


def test_activity_that_waits_for_another_system_is_not_stalled() -> None:
    loop = Activity("loop", PAST)
    loop.report()
    assert stalled() == ["loop"]
    loop.suspend()
    assert stalled() == []


def test_longest_running_task_sets_the_deadline() -> None:
    tasks = RunningTasks(limit_seconds=0.02)
    tasks.begin("first")
    time.sleep(0.03)
    tasks.begin("second")
    assert stalled() == ["task"], "the second task does not hide the first"
    tasks.end("first")
    assert stalled() == []
    tasks.end("second")
    assert [sample.value for metric in DEADLINE.collect() for sample in metric.samples] == [math.inf]


def test_process_without_a_needed_dependency_is_unavailable() -> None:
    answer = client({"database": fails, "broker": responds}).get("/readyz")
    assert (answer.status_code, json.loads(answer.text)) == (
        503,
        {"status": "unavailable", "checks": {"database": "does not answer", "broker": "ok"}},
    )


def test_process_without_an_optional_dependency_is_degraded_and_ready() -> None:
    answer = client({"database": responds}, {"cache": fails}).get("/readyz")
    assert (answer.status_code, json.loads(answer.text)) == (
        200,
        {"status": "degraded", "checks": {"database": "ok", "cache": "does not answer"}},
    )


def test_needed_dependency_counts_although_an_optional_one_fails_too() -> None:
    assert client({"database": fails}, {"cache": fails}).get("/readyz").status_code == 503


def test_dependency_that_hangs_is_unavailable_and_is_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "CHECK_SECONDS", 0.05)
    released = threading.Event()
    calls: list[None] = []

    def hangs() -> None:
        calls.append(None)
        released.wait()

    probed = client({"database": hangs})
    assert [probed.get("/readyz").status_code for _ in range(3)] == [503, 503, 503]
    assert len(calls) == 1, "a probe does not start a second check while one runs"
    released.set()
    monkeypatch.setattr(readiness, "CHECK_SECONDS", 10)
    assert probed.get("/readyz").status_code == 200


def test_state_is_unavailable_until_it_was_used() -> None:
    broker = State()
    probed = client({"broker": broker.check})
    found = [probed.get("/readyz").status_code]
    for available in (True, False):
        broker.set(available=available)
        found.append(probed.get("/readyz").status_code)
    assert found == [503, 200, 503]


def test_stalled_process_is_neither_alive_nor_ready() -> None:
    probed = client({"database": responds})
    assert json.loads(probed.get("/healthz").text) == {"status": "ok"}
    Activity("loop", PAST).report()
    for path in ("/healthz", "/readyz"):
        answer = probed.get(path)
        assert (answer.status_code, json.loads(answer.text)) == (503, {"status": "stalled", "stalled": ["loop"]})


def test_liveness_does_not_depend_on_a_dependency() -> None:
    assert client({"database": fails}).get("/healthz").status_code == 200


def test_operator_port_serves_metrics_of_the_process_and_of_the_program() -> None:
    registry = CollectorRegistry()
    Gauge("own_metric", "A metric in a registry of its own", registry=registry).set(7)
    text = Client(create_operator_app(Readiness({}), registry)).get("/metrics").text
    assert "own_metric 7.0" in text
    assert "python_info" in text


def test_operator_port_serves_nothing_else() -> None:
    probed = client({})
    assert [probed.get(path).status_code for path in ("/", "/metrics/x", "/openapi.json")] == [404, 404, 404]
    assert [probed.post(path).status_code for path in ("/healthz", "/metrics")] == [405, 405]
