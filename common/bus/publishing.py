"""Send events and acknowledgements, and register the two tasks that receive them."""

from collections.abc import Sequence
from time import perf_counter
from typing import Any
from uuid import UUID

from celery import Celery

from common import log_events
from common.bus import outbox
from common.bus.celery_app import SEND_TIMEOUT_SECONDS, broker_errors, register_task
from common.bus.inbox import Inbox
from common.bus.topology import acknowledge_task, acknowledgements_queue, consume_task, events_queue
from common.contracts.envelope import Envelope
from common.core.logging import get_logger
from common.db.engine import Database

log = get_logger(__name__)


def send_events(app: Celery, source: str, subscriber: str, envelopes: Sequence[Envelope]) -> None:
    """Send the events to one subscriber in one message; raises kombu's OperationalError."""
    app.send_task(
        consume_task(subscriber),
        args=[source, [envelope.to_wire() for envelope in envelopes]],
        queue=events_queue(subscriber),
        confirm_timeout=SEND_TIMEOUT_SECONDS,
    )


def register_consumer(app: Celery, service: str, inbox: Inbox) -> None:
    """Register the task that applies received events and acknowledges them after the commit."""

    def consume_events(source: str, wire: list[dict[str, Any]]) -> None:
        started = perf_counter()
        envelopes = [Envelope.from_wire(item) for item in wire]
        finished = inbox.receive(source, envelopes)
        _acknowledge(app, source, service, finished)
        log.info(
            log_events.EVENTS_CONSUMED,
            source=source,
            received=len(envelopes),
            finished=len(finished),
            duration_ms=round((perf_counter() - started) * 1000, 1),
        )

    register_task(app, consume_task(service), consume_events)


def _acknowledge(app: Celery, source: str, subscriber: str, event_ids: Sequence[UUID]) -> None:
    if not event_ids:
        return
    try:
        app.send_task(
            acknowledge_task(source),
            args=[subscriber, [str(event_id) for event_id in event_ids]],
            queue=acknowledgements_queue(source),
            confirm_timeout=SEND_TIMEOUT_SECONDS,
        )
    except broker_errors(app) as error:
        # The effect is committed. The publisher sends the events again, and the inbox then acknowledges them.
        log.warning(log_events.ACKNOWLEDGEMENT_NOT_SENT, source=source, events=len(event_ids), error=repr(error))


def register_publisher(app: Celery, service: str, db: Database) -> None:
    """Register the task that closes the outbox rows of acknowledged events."""

    def acknowledge_events(subscriber: str, event_ids: list[str]) -> None:
        with db.autocommit() as tx:
            closed = outbox.close(tx, subscriber, [UUID(event_id) for event_id in event_ids])
        log.info(log_events.EVENTS_ACKNOWLEDGED, subscriber=subscriber, reported=len(event_ids), closed=closed)

    register_task(app, acknowledge_task(service), acknowledge_events)
