"""The relay sends open outbox rows to the broker. Any number may run: a row is leased to one relay at a time."""

import select
import threading
from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final, Protocol

import psycopg2
from celery import Celery
from kombu import Connection as BrokerConnection
from sqlalchemy.exc import SQLAlchemyError

from common import log_events
from common.bus import outbox, publishing
from common.bus.celery_app import broker_errors
from common.bus.outbox import Due
from common.bus.signatures import MessageKeys
from common.bus.topology import events_queue
from common.contracts.envelope import Envelope
from common.contracts.events import SUBSCRIBERS
from common.core.logging import get_logger
from common.core.settings import BusSettings
from common.db.engine import Database

log = get_logger(__name__)

#: Maximum delay of an event whose NOTIFY was lost or whose lease has ended.
POLL_SECONDS: Final = 1.0
PAUSE_AFTER_FAILURE_SECONDS: Final = 1.0


class Observer(Protocol):
    """Gets the end of each pass of a relay."""

    def __call__(self, *, succeeded: bool) -> None: ...


class Relay:
    """Sends due events and waits for a NOTIFY, in a loop."""

    def __init__(self, keys: MessageKeys, db: Database, app: Celery, settings: BusSettings) -> None:
        self._keys = keys
        self._db = db
        self._app = app
        self._settings = settings
        #: Raised when the database or the broker is unavailable; unsent events stay in the outbox.
        self._transient_errors: tuple[type[Exception], ...] = (
            SQLAlchemyError,
            psycopg2.Error,
            OSError,
            *broker_errors(app),
        )

    def run(self, stop: threading.Event, observe: Observer) -> None:
        """Run until ``stop`` is set; report each pass to ``observe``. Retries after errors of database and broker."""
        while not stop.is_set():
            try:
                with self._db.listen(outbox.CHANNEL) as notifications:
                    while not stop.is_set():
                        sent = self.send_due()
                        observe(succeeded=True)
                        if sent < self._settings.outbox_batch_size:
                            _wait_for_notification(notifications)
            except self._transient_errors as error:
                observe(succeeded=False)
                log.warning(log_events.RELAY_PAUSED, error=repr(error))
                stop.wait(PAUSE_AFTER_FAILURE_SECONDS)

    def send_due(self) -> int:
        """Send one batch and return its number of events; raises ``broker_errors`` if the broker is unavailable."""
        full = self._full_subscribers()
        with self._db.autocommit() as tx:
            due = outbox.claim_due(
                tx,
                limit=self._settings.outbox_batch_size,
                resend_seconds=self._settings.outbox_resend_seconds,
                resend_max_seconds=self._settings.outbox_resend_max_seconds,
                excluded=full,
            )
        for subscriber, group in groupby(sorted(due, key=_subscriber), key=_subscriber):
            self._send(subscriber, [item.envelope for item in group])
        return len(due)

    def _send(self, subscriber: str, envelopes: Sequence[Envelope]) -> None:
        try:
            publishing.send_events(self._app, self._keys, subscriber, envelopes)
        except Exception:
            with self._db.autocommit() as tx:
                outbox.release_unsent(tx, subscriber, [envelope.event_id for envelope in envelopes])
            raise
        log.info(log_events.EVENTS_SENT, subscriber=subscriber, events=len(envelopes))

    def _full_subscribers(self) -> list[str]:
        """Return the subscribers whose queue has reached its maximum depth. Their events then wait in the outbox.

        The events of the others are sent: a subscriber that is down does not delay them.
        """
        subscribers = sorted({name for names in SUBSCRIBERS.values() for name in names})
        with self._app.pool.acquire(block=True, timeout=5) as connection:
            depths = {name: self._depth(connection, events_queue(name)) for name in subscribers}
        full = {name: depth for name, depth in depths.items() if depth >= self._settings.outbox_max_queue_depth}
        if full:
            log.warning(log_events.SUBSCRIBER_QUEUE_FULL, queues={events_queue(name): full[name] for name in full})
        return list(full)

    def _depth(self, connection: BrokerConnection, queue: str) -> int:
        """Return the number of messages in the queue. Creates a missing queue, since a passive declare would fail."""
        declared = self._app.amqp.queues[queue](connection.default_channel).queue_declare()
        return int(declared.message_count)


def _subscriber(due: Due) -> str:
    return due.subscriber


def _wait_for_notification(connection: Any) -> None:
    if select.select([connection], [], [], POLL_SECONDS)[0]:
        connection.poll()
        connection.notifies.clear()
