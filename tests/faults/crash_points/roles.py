"""The processes of the system under test: real services with their real entry points, started by a fork.

Differences from production: the web server is werkzeug's, because granian cannot be forked; a worker has one thread;
lazy acknowledgements are written sooner.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from werkzeug.serving import WSGIRequestHandler, make_server

from cli.operators import databases as operators_databases
from cli.operators import events as operators_events
from common.bus import batched_acknowledger
from common.bus.process import run
from common.core.clock import SystemClock
from services.accounts.app import create_app as create_accounts
from services.balance import worker as balance_worker
from services.balance.app import create_app as create_balance
from services.checks import worker as checks_worker
from services.checks.app import create_app as create_checks
from services.gateway.app import create_app as create_gateway
from services.payments import worker as payments_worker
from services.payments.app import create_app as create_payments
from services.sandbox_bank.app import create_app as create_bank
from services.sandbox_bank.delivery import Deliverer
from tests.faults.crash_points import conditions
from tests.faults.crash_points.background import Background
from tests.faults.crash_points.control import Control

#: Tests wait for lazy acknowledgements, so that the delay is shorter than in production.
FLUSH_SECONDS: Final = 0.02
_TASK_EXPIRES_SECONDS: Final = 600
#: Modules that a bus process imports when it starts. Importing them before the fork saves the time in each child.
_OF_THE_BUS: Final = (
    "celery.apps.worker",
    "celery.bin.worker",
    "celery.canvas",
    "celery.concurrency.thread",
    "kombu.transport.redis",
)


class KeepAliveHandler(WSGIRequestHandler):
    """Keep connections open as granian does, and log nothing: services log their own requests."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""


class SerialExecutor:
    """Replaces a thread pool, whose points would occur in any order."""

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        return map(function, sorted(items, key=lambda delivery: delivery.delivery_id))


class Roles:
    """All applications, built but not connected. A forked child uses the one of its role."""

    def __init__(self, control: Control) -> None:
        for module in _OF_THE_BUS:
            import_module(module)
        _set_clock(control)
        batched_acknowledger.FLUSH_SECONDS = FLUSH_SECONDS  # type: ignore[misc]
        bank = create_bank()
        # Its thread would deliver at any time. Here delivery is a process that the test starts.
        bank.before_request_funcs[None].remove(bank.extensions["deliverer"].ensure_running)
        self._apps: dict[str, Any] = {
            "gateway": create_gateway(),
            "accounts": create_accounts(),
            "balance": create_balance(),
            "checks": create_checks(),
            "payments": create_payments(),
            "bank": bank,
        }
        # One thread per process, so that its points occur in the same order in each run.
        self.bus = {
            "balance": replace(balance_worker.build(), threads=1),
            "checks": replace(checks_worker.build(), threads=1),
            "payments": replace(payments_worker.build(), threads=1),
        }
        for process in self.bus.values():
            process.app.finalize()  # else each fork repeats it

    def apply(self, changes: Sequence[str]) -> None:
        """Apply conditions and planted defects, by name, to this process."""
        conditions.apply(changes, self.bus)

    def run(self, role: str, argument: str, ready: Any) -> None:
        """Run the process of a role until it is killed or its work is done."""
        if role in self._apps:
            self._serve(role, ready)
            return
        ready()  # it serves no requests
        if role == "bank-sender":
            self._deliver()
        elif role == "background":
            Background(self.bus, self._deliver).work()
        elif role == "operator":
            _replay(UUID(argument))
        else:
            service, part = role.split("-")
            if part == "scheduler":
                self._send_task(service, argument)
            else:
                run(lambda: self.bus[service], [part])

    def _serve(self, role: str, ready: Any) -> None:
        variable = "FASTCHECK_PUBLIC_URL" if role == "gateway" else f"FASTCHECK_{_service_of(role).upper()}_URL"
        where = urlsplit(os.environ[variable])
        server = make_server(
            str(where.hostname), int(where.port or 0), self._apps[role], threaded=True, request_handler=KeepAliveHandler
        )
        ready()
        server.serve_forever()

    def _send_task(self, service: str, task: str) -> None:
        """Send a task as the scheduler does when it is due, with an expiry that a busy machine does not reach."""
        app = self.bus[service].app
        options = app.conf.beat_schedule[task]["options"]
        app.send_task(task, **{**options, "expires": _TASK_EXPIRES_SECONDS})

    def _deliver(self) -> int:
        """Send the notifications that are due; return their number."""
        one_by_one: Any = SerialExecutor()
        return Deliverer(self._apps["bank"].extensions["context"]).send_due(one_by_one)


def _service_of(role: str) -> str:
    return "sandbox_bank" if role == "bank" else role


def _set_clock(control: Control) -> None:
    def now(self: SystemClock) -> datetime:
        return datetime.now(UTC) + self._offset + timedelta(seconds=control.clock_ahead)

    SystemClock.now = now  # type: ignore[method-assign]


def _replay(event_id: UUID) -> None:
    """``fastcheck events replay``"""
    urls = {name: os.environ[f"FASTCHECK_{name.upper()}_DATABASE_URL"] for name in operators_databases.SERVICES}
    with operators_databases.opened(urls) as databases:
        operators_events.replay(databases, event_id, operator="olga", reason="the handler is fixed")
