"""The Celery application of one service, with the settings that make it survive outages of the broker.

Celery transports and runs messages. Every event is also stored in an outbox, there are no results, and deadlines are
database columns.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from celery import Celery
from kombu import Exchange, Queue
from kombu.exceptions import OperationalError

from common.bus import rabbitmq, tls
from common.bus.topology import queues_of, schedule_queue
from common.core.settings import BusSettings

#: A message whose worker died is redelivered after this time. Tasks are shorter: their batch sizes and the database's
#: statement time-out bound them.
VISIBILITY_TIMEOUT_SECONDS: Final = 120

#: Time-out for the broker's confirmation of a message.
SEND_TIMEOUT_SECONDS: Final = 10

REDIS_TRANSPORT_OPTIONS: Final = {
    "visibility_timeout": VISIBILITY_TIMEOUT_SECONDS,
    # Restore messages of dead workers every second instead of every 100 (kombu 5.7: interval times throttle).
    "unacked_restore_interval": 1,
    "unacked_restore_throttle": 1,
    # A server that hangs must not block a process without limit.
    "socket_timeout": SEND_TIMEOUT_SECONDS,
    "socket_connect_timeout": 3,
    "socket_keepalive": True,
    "health_check_interval": 5,
}


@dataclass(frozen=True, slots=True)
class ScheduledTask:
    """A task that runs at a fixed interval and processes what is due by the deadlines in the database."""

    task: str
    every_seconds: float


def create_celery(service: str, settings: BusSettings, schedule: Sequence[ScheduledTask] = ()) -> Celery:
    """Create the application; connects to nothing yet."""
    url = settings.broker_url.get_secret_value()
    on_rabbitmq = rabbitmq.speaks_amqp(url)
    arguments = rabbitmq.QUEUE_ARGUMENTS if on_rabbitmq else None
    app = Celery(service, broker=url, set_as_current=False)
    # Queues of other services are reached through the default exchange too.
    app.amqp.autoexchange = _default_exchange
    app.conf.update(
        task_queues=[
            Queue(name, exchange="", routing_key=name, queue_arguments=arguments) for name in queues_of(service)
        ],
        task_default_queue=schedule_queue(service),
        task_default_exchange="",
        task_create_missing_queues=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        result_backend=None,
        task_serializer="json",
        accept_content=["json"],
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        # Log lines go to stdout unchanged; Celery would wrap each in its own.
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_use_ssl=tls.broker_options(url, settings),
        broker_transport_options=_redis_transport_options(service) if url.startswith(("redis", "unix")) else {},
        task_publish_retry=False,
        enable_utc=True,
        timezone="UTC",
        beat_schedule={
            scheduled.task: {
                "task": scheduled.task,
                "schedule": scheduled.every_seconds,
                # A message older than its interval is redundant: the next one is in the queue.
                "options": {
                    "queue": schedule_queue(service),
                    "expires": max(scheduled.every_seconds, 1.0),
                    "confirm_timeout": SEND_TIMEOUT_SECONDS,
                },
            }
            for scheduled in schedule
        },
    )
    if on_rabbitmq:
        app.conf.update(rabbitmq.SETTINGS)
    return app


def _redis_transport_options(service: str) -> dict[str, object]:
    # By default all services share these keys, so that one could write messages into the queues of another.
    unacknowledged = {f"{key}_key": f"{service}.{key}" for key in ("unacked", "unacked_index", "unacked_mutex")}
    return {**REDIS_TRANSPORT_OPTIONS, **unacknowledged}


def _default_exchange(_queue: str) -> Exchange:
    return Exchange("")


def register_task(app: Celery, name: str, function: Callable[..., object], *bound: object) -> None:
    """Register a task of this app that calls ``function(*bound, *arguments of the message)``.

    By default Celery shares a task with every app of the process, and it accepts neither a lambda nor a partial.
    """

    def task(*arguments: object) -> None:
        function(*bound, *arguments)

    app.task(name=name, shared=False)(task)


def broker_errors(app: Celery) -> tuple[type[Exception], ...]:
    """Return the exceptions that the broker's client raises when the broker is unavailable."""
    connection = app.connection_for_write()  # opens nothing
    return (OperationalError, *connection.connection_errors, *connection.channel_errors)
