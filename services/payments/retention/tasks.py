"""The scheduled task of retention. It may run at any time, twice, or twice at once."""

from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection

from common.bus import outbox
from common.core.logging import get_logger
from common.db import idempotency
from services.payments import log_events
from services.payments.context import Context
from services.payments.notifications import repository as notifications

log = get_logger(__name__)

#: Retention of acknowledged events.
OUTBOX_RETENTION_HOURS: Final = 168
NOTIFICATION_RETENTION_DAYS: Final = 400
BATCH: Final = 5_000


def purge_old_records(context: Context) -> None:
    """Delete closed outbox rows, idempotency keys and notifications past their retention period, in batches."""
    settings = context.settings
    steps: dict[str, Callable[[Connection], int]] = {
        "outbox": lambda tx: outbox.purge_closed(tx, older_than_hours=OUTBOX_RETENTION_HOURS, limit=BATCH),
        "idempotency_keys": lambda tx: idempotency.purge(
            tx, older_than_hours=settings.idempotency_retention_hours, limit=BATCH
        ),
        "notifications": lambda tx: notifications.purge(tx, older_than_days=NOTIFICATION_RETENTION_DAYS, limit=BATCH),
    }
    for table, purge in steps.items():
        deleted = BATCH
        while deleted == BATCH:
            with context.db.autocommit() as tx:
                deleted = purge(tx)
            log.info(log_events.RECORDS_PURGED, table=table, rows=deleted)
