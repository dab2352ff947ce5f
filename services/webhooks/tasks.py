"""Scheduled tasks. Each is safe to run at any time, repeatedly and concurrently."""

from collections.abc import Callable
from datetime import timedelta
from threading import BoundedSemaphore
from typing import Final

from sqlalchemy import Connection

from common.bus import inbox
from common.core.logging import get_logger
from services.webhooks import log_events, repository, service
from services.webhooks.context import Context

log = get_logger(__name__)

#: Retention of ended deliveries and of the ids of processed events.
RETENTION_DAYS: Final = 30
PURGE_BATCH_SIZE: Final = 5_000


def deliver_due(context: Context, slots: BoundedSemaphore) -> None:
    """Attempt the deliveries that are due, unless every slot is taken.

    A batch lasts as long as its slowest receiver. The slots leave threads of the worker to the events of the bus.
    """
    if not slots.acquire(blocking=False):
        return
    try:
        service.deliver_due(context)
    finally:
        slots.release()


def purge_old_records(context: Context) -> None:
    """Delete ended deliveries, their messages, and inbox rows whose retention has ended, in batches."""
    before = context.clock.now() - timedelta(days=RETENTION_DAYS)
    purges: tuple[Callable[[Connection], int], ...] = (
        lambda tx: repository.purge_deliveries(tx, before=before, limit=PURGE_BATCH_SIZE),
        lambda tx: repository.purge_messages(tx, limit=PURGE_BATCH_SIZE),
        lambda tx: inbox.purge_processed(tx, older_than_days=RETENTION_DAYS, limit=PURGE_BATCH_SIZE),
        lambda tx: inbox.purge_unprocessed(tx, older_than_days=RETENTION_DAYS, limit=PURGE_BATCH_SIZE),
    )
    for purge in purges:
        deleted = PURGE_BATCH_SIZE
        while deleted == PURGE_BATCH_SIZE:
            with context.db.autocommit() as tx:
                deleted = purge(tx)
            log.info(log_events.WEBHOOK_RECORDS_PURGED, rows=deleted)
