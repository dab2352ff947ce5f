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
from common.bus.signatures import Kind, MessageKeys
from common.bus.topology import acknowledge_task, acknowledgements_queue, consume_task, events_queue
from common.contracts.envelope import Envelope
from common.core.logging import get_logger
from common.db.engine import Database

log = get_logger(__name__)


def send_events(app: Celery, keys: MessageKeys, subscriber: str, envelopes: Sequence[Envelope]) -> None:
    """Send the events to one subscriber in one signed message; raises kombu's OperationalError."""
    wire = [envelope.to_wire() for envelope in sorted(envelopes, key=lambda each: str(each.event_id))]
    app.send_task(
        consume_task(subscriber),
        args=[keys.service, wire, keys.sign(Kind.EVENTS, subscriber, wire)],
        queue=events_queue(subscriber),
        confirm_timeout=SEND_TIMEOUT_SECONDS,
    )


def register_consumer(app: Celery, keys: MessageKeys, inbox: Inbox) -> None:
    """Register the task that applies received events and acknowledges them after the commit.

    A message whose signature is missing or wrong has no effect. An event of a publisher that was rejected is sent again
    from its outbox.
    """

    def consume_events(source: str, wire: list[dict[str, Any]], signature: str | None = None) -> None:
        started = perf_counter()
        if not keys.accepts(Kind.EVENTS, source, wire, signature):
            return
        envelopes = [Envelope.from_wire(item) for item in wire]
        finished = inbox.receive(source, envelopes)
        _acknowledge(app, keys, source, finished)
        log.info(
            log_events.EVENTS_CONSUMED,
            source=source,
            received=len(envelopes),
            finished=len(finished),
            duration_ms=round((perf_counter() - started) * 1000, 1),
        )

    register_task(app, consume_task(keys.service), consume_events)


def _acknowledge(app: Celery, keys: MessageKeys, source: str, event_ids: Sequence[UUID]) -> None:
    if not event_ids:
        return
    wire = sorted(str(event_id) for event_id in event_ids)
    try:
        app.send_task(
            acknowledge_task(source),
            args=[keys.service, wire, keys.sign(Kind.ACKNOWLEDGEMENTS, source, wire)],
            queue=acknowledgements_queue(source),
            confirm_timeout=SEND_TIMEOUT_SECONDS,
        )
    except broker_errors(app) as error:
        # The effect is committed. The publisher sends the events again, and the inbox then acknowledges them.
        log.warning(log_events.ACKNOWLEDGEMENT_NOT_SENT, source=source, events=len(event_ids), error=repr(error))


def register_publisher(app: Celery, keys: MessageKeys, db: Database) -> None:
    """Register the task that closes the outbox rows of acknowledged events, if a subscriber has signed the message."""

    def acknowledge_events(subscriber: str, event_ids: list[str], signature: str | None = None) -> None:
        if not keys.accepts(Kind.ACKNOWLEDGEMENTS, subscriber, event_ids, signature):
            return
        with db.autocommit() as tx:
            closed = outbox.close(tx, subscriber, [UUID(event_id) for event_id in event_ids])
        log.info(log_events.EVENTS_ACKNOWLEDGED, subscriber=subscriber, reported=len(event_ids), closed=closed)

    register_task(app, acknowledge_task(keys.service), acknowledge_events)
