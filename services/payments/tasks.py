"""Time in: what the schedule calls. Each task may run at any time, twice, or twice at once."""

from collections.abc import Callable

from common.bus import outbox
from common.core.logging import get_logger
from common.db import idempotency
from common.db.connection import Connection
from services.payments import polling
from services.payments.context import Context
from services.payments.notifications import repository as notifications
from services.payments.refunds import service as refunds

log = get_logger(__name__)

POLL_BATCH: int = 50
REFUND_BATCH: int = 20
PURGE_BATCH: int = 5_000


def poll_topups(context: Context) -> None:
    """Ask the banks about open top-ups whose turn has come, and expire those whose time is over."""
    polled = polling.poll_due(context, limit=POLL_BATCH)
    if polled:
        log.info("topups polled", topups=polled)


def pursue_refunds(context: Context) -> None:
    """Move on refunds that wait for the balance or for a bank."""
    moved = refunds.pursue_due(context, limit=REFUND_BATCH)
    if moved:
        log.info("refunds pursued", refunds=moved)


def purge_old_records(context: Context) -> None:
    """Forget closed outbox rows, old idempotency keys and old notifications, in batches."""
    settings = context.settings
    steps: dict[str, Callable[[Connection], int]] = {
        "outbox": lambda tx: outbox.purge_closed(
            tx, older_than_hours=settings.outbox_retention_hours, limit=PURGE_BATCH
        ),
        "idempotency_keys": lambda tx: idempotency.purge(
            tx, older_than_hours=settings.idempotency_retention_hours, limit=PURGE_BATCH
        ),
        "notifications": lambda tx: notifications.purge(
            tx, older_than_days=settings.notification_retention_days, limit=PURGE_BATCH
        ),
    }
    for table, purge in steps.items():
        deleted = PURGE_BATCH
        while deleted == PURGE_BATCH:
            with context.db.autocommit() as tx:
                deleted = purge(tx)
            log.info("old records purged", table=table, rows=deleted)
