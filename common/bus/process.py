"""Processes of the bus: ``python -m services.<name>.worker worker|scheduler|relay``.

A service's ``worker.py`` states its tasks, and whether it consumes and publishes events. This module creates the
:class:`BusProcess` and runs it.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from celery import Celery
from celery.signals import beat_init, worker_ready

from common import log_events
from common.bus.celery_app import ScheduledTask, create_celery, register_task
from common.bus.health import BusHealth
from common.bus.inbox import Inbox
from common.bus.publishing import register_consumer, register_publisher
from common.bus.relay import Relay
from common.bus.signatures import MessageKeys
from common.core.logging import configure_logging, get_logger
from common.core.settings import BusSettings, OperatorPortSettings
from common.db.engine import Database
from common.health import operator_port
from common.health.readiness import Check, Readiness

log = get_logger(__name__)

ROLES: Final = ("worker", "scheduler", "relay")
#: Number of threads of a worker.
WORKER_THREADS: Final = 2

#: Names a file that the process creates when it has started.
READY_FILE_VARIABLE: Final = "FASTCHECK_READY_FILE"


@dataclass(frozen=True, slots=True)
class PeriodicTask:
    """A scheduled task: call ``function()`` every ``every_seconds``. It may run at any time, and concurrently."""

    name: str
    every_seconds: float
    function: Callable[[], object]


@dataclass(frozen=True, slots=True)
class BusProcess:
    """A service's Celery application, and its relay if it publishes events."""

    app: Celery
    keys: MessageKeys
    #: Raises an exception if the database is unavailable.
    check_database: Check
    relay: Relay | None = None
    threads: int = WORKER_THREADS


def create_bus_process(
    keys: MessageKeys,
    settings: BusSettings,
    db: Database,
    *,
    log_level: str,
    tasks: Sequence[PeriodicTask],
    inbox: Inbox | None = None,
    publishes: bool = False,
) -> BusProcess:
    """Create a service's Celery application with its scheduled tasks; opens no connection.

    ``keys`` sign the messages that it sends and verify those that it receives. With ``inbox``, it consumes events. With
    ``publishes``, it consumes acknowledgements and has a relay of the outbox in ``db``.
    """
    configure_logging(keys.service, log_level)
    app = create_celery(keys.service, settings, [ScheduledTask(task.name, task.every_seconds) for task in tasks])
    for task in tasks:
        register_task(app, task.name, task.function)
    if inbox is not None:
        register_consumer(app, keys, inbox)
    if publishes:
        register_publisher(app, keys, db)
    relay = Relay(keys, db, app, settings) if publishes else None
    return BusProcess(app, keys, db.ping, relay=relay)


def run(build: Callable[[], BusProcess], arguments: list[str]) -> None:
    """Run the role that the command line names until SIGTERM or SIGINT."""
    role = arguments[0] if len(arguments) == 1 else ""
    if role not in ROLES:
        sys.exit(f"usage: python -m services.<name>.worker {{{'|'.join(ROLES)}}}")
    process = build()
    settings = OperatorPortSettings()
    health = BusHealth(settings.stalled_after_seconds)
    readiness = Readiness(health.checks(role, process.check_database))
    operator_port.serve(operator_port.create_operator_app(readiness), settings)
    for at_work in (worker_ready, beat_init):
        at_work.connect(_announce_ready, weak=False)
    if role == "worker":
        _run_worker(process, health)
    elif role == "scheduler":
        _run_scheduler(process.app, health)
    elif process.relay is None:
        sys.exit("this service publishes no events and has no relay")
    else:
        _run_relay(process.relay, health)


def _run_worker(process: BusProcess, health: BusHealth) -> None:
    health.watch_worker(process.app)
    process.app.worker_main(
        [
            "--quiet",  # no banner between the JSON lines
            "worker",
            "--pool=threads",
            f"--concurrency={process.threads}",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
            "--loglevel=WARNING",
        ]
    )


def run_all_at_start(app: Celery) -> None:
    """Make every scheduled task due when the scheduler starts rather than one interval later.

    The scheduler keeps no state: if it restarted more than once an hour, hourly tasks would never run. An additional
    run is harmless.
    """
    for entry in app.conf.beat_schedule.values():
        entry["last_run_at"] = datetime(2000, 1, 1, tzinfo=UTC)


def _run_scheduler(app: Celery, health: BusHealth) -> None:
    run_all_at_start(app)
    app.Beat(scheduler_cls=health.scheduler_class(), loglevel="WARNING", quiet=True).run()


def _run_relay(relay: Relay, health: BusHealth) -> None:
    stop = threading.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, lambda *_: stop.set())
    log.info(log_events.RELAY_STARTED)
    _announce_ready()
    relay.run(stop, health.observe)
    log.info(log_events.RELAY_STOPPED)


def _announce_ready(**_signal: object) -> None:
    if path := os.environ.get(READY_FILE_VARIABLE):
        Path(path).touch()
