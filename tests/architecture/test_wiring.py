"""The parts fit: routes declare their callers, queues have consumers, scheduled tasks exist, events have handlers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from common.bus.topology import acknowledge_task, consume_task, queues_of
from common.contracts.events import EVENTS, SUBSCRIBERS
from common.core.clock import SystemClock
from deploy.services import SERVICES
from services.balance import handlers as balance
from services.webhooks import handlers as webhooks

ROOT = Path(__file__).resolve().parents[2]
NAMES = [service.name for service in SERVICES]
ON_THE_BUS = [service.name for service in SERVICES if service.bus_roles]
PUBLISHERS = [service.name for service in SERVICES if "relay" in service.bus_roles]


@pytest.mark.parametrize("service", NAMES)
def test_every_route_declares_who_may_call_it(service: str, web_app: Callable[[str], Any]) -> None:
    app = web_app(service)
    silent = [
        f"{rule.rule} ({rule.endpoint})"
        for rule in app.url_map.iter_rules()
        if not hasattr(app.view_functions[rule.endpoint], "__fastcheck_access__")
    ]
    assert not silent, f"services/{service}: these routes do not declare who may call them: {silent}"


@pytest.mark.parametrize("service", NAMES)
def test_every_public_operation_is_documented(service: str, web_app: Callable[[str], Any]) -> None:
    app = web_app(service)
    for path, operations in app.api_doc["paths"].items():
        for method, operation in operations.items():
            assert operation.get("summary"), f"{service} {method} {path} has no summary"
            assert "400" in operation["responses"], f"{service} {method} {path} does not say what bad input gets"


@pytest.mark.parametrize("service", ON_THE_BUS)
def test_every_queue_is_consumed_and_every_scheduled_task_exists(
    service: str, bus_process: Callable[[str], Any]
) -> None:
    app = bus_process(service).app
    consumed = set(app.amqp.queues)
    assert consumed == set(queues_of(service))
    for entry in app.conf.beat_schedule.values():
        assert entry["task"] in app.tasks, f"{service} schedules {entry['task']}, which does not exist"
        assert entry["options"]["queue"] in consumed


def test_every_event_is_handled_by_its_subscribers(bus_process: Callable[[str], Any]) -> None:
    for subscriber, handlers in (("balance", balance.HANDLERS), ("webhooks", webhooks.handlers(SystemClock()))):
        assert set(handlers) == {name for name, subscribers in SUBSCRIBERS.items() if subscriber in subscribers}
    assert set(SUBSCRIBERS) == set(EVENTS)
    for subscriber in {name for subscribers in SUBSCRIBERS.values() for name in subscribers}:
        assert consume_task(subscriber) in bus_process(subscriber).app.tasks


@pytest.mark.parametrize("service", PUBLISHERS)
def test_every_publisher_consumes_acknowledgements_and_has_a_relay(
    service: str, bus_process: Callable[[str], Any]
) -> None:
    process = bus_process(service)
    assert acknowledge_task(service) in process.app.tasks
    assert process.relay is not None
