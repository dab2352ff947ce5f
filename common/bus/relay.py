"""The relay carries open outbox rows to the broker. Any number may run: each row is taken by one at a time."""

import select
import threading
from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

import psycopg2
from celery import Celery
from kombu import Connection as BrokerConnection
from sqlalchemy.exc import SQLAlchemyError

from common.bus import outbox, publishing
from common.bus.celery_app import broker_errors
from common.bus.outbox import Due
from common.bus.topology import events_queue
from common.contracts.envelope import Envelope
from common.contracts.events import SUBSCRIBERS
from common.core.logging import get_logger
from common.core.settings import BusSettings
from common.db.engine import Database

log = get_logger(__name__)

#: A lost NOTIFY, or a row whose turn comes later, is noticed after at most this long.
POLL_SECONDS: Final = 1.0
PAUSE_AFTER_FAILURE_SECONDS: Final = 1.0


class Relay:
    """Sends what is due, waits for a NOTIFY, and starts over, until it is told to stop."""

    def __init__(self, service: str, db: Database, app: Celery, settings: BusSettings) -> None:
        self._service = service
        self._db = db
        self._app = app
        self._settings = settings
        #: Database or broker are away: all that was to be sent is still in the outbox.
        self._transient_errors: tuple[type[Exception], ...] = (
            SQLAlchemyError,
            psycopg2.Error,
            OSError,
            *broker_errors(app),
        )

    def run(self, stop: threading.Event) -> None:
        """Run until ``stop`` is set; survives the loss of database and broker."""
        while not stop.is_set():
            try:
                with self._db.listen(outbox.CHANNEL) as notifications:
                    while not stop.is_set():
                        if self.send_due() < self._settings.outbox_batch_size:
                            _wait_for_notification(notifications)
            except self._transient_errors as error:
                log.warning("relay pauses", error=repr(error))
                stop.wait(PAUSE_AFTER_FAILURE_SECONDS)

    def send_due(self) -> int:
        """Send one batch; returns how many events it had. Raises one of ``broker_errors`` when the broker is away."""
        if self._subscribers_are_full():
            return 0
        with self._db.autocommit() as tx:
            due = outbox.claim_due(
                tx,
                limit=self._settings.outbox_batch_size,
                resend_seconds=self._settings.outbox_resend_seconds,
                resend_max_seconds=self._settings.outbox_resend_max_seconds,
            )
        for subscriber, group in groupby(sorted(due, key=_subscriber), key=_subscriber):
            self._send(subscriber, [item.envelope for item in group])
        return len(due)

    def _send(self, subscriber: str, envelopes: Sequence[Envelope]) -> None:
        try:
            publishing.send_events(self._app, self._service, subscriber, envelopes)
        except Exception:
            with self._db.autocommit() as tx:
                outbox.release_unsent(tx, subscriber, [envelope.event_id for envelope in envelopes])
            raise
        log.info("events sent", subscriber=subscriber, events=len(envelopes))

    def _subscribers_are_full(self) -> bool:
        """A subscriber that does not keep up is not sent more: its events are safe where they are."""
        queues = {events_queue(name) for names in SUBSCRIBERS.values() for name in names}
        with self._app.pool.acquire(block=True, timeout=5) as connection:
            depths = {queue: self._depth(connection, queue) for queue in queues}
        full = {queue: depth for queue, depth in depths.items() if depth >= self._settings.outbox_max_queue_depth}
        if full:
            log.warning("subscriber does not keep up", queues=full)
        return bool(full)

    def _depth(self, connection: BrokerConnection, queue: str) -> int:
        """How many messages wait. Makes the queue where there is none: to ask for it would cost RabbitMQ's channel."""
        declared = self._app.amqp.queues[queue](connection.default_channel).queue_declare()
        return int(declared.message_count)


def _subscriber(due: Due) -> str:
    return due.subscriber


def _wait_for_notification(connection: Any) -> None:
    if select.select([connection], [], [], POLL_SECONDS)[0]:
        connection.poll()
        connection.notifies.clear()
