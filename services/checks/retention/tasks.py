"""The scheduled task of retention. It may run at any time, twice, or twice at once."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from common.bus import outbox
from common.core.logging import get_logger
from common.db import idempotency
from services.checks import log_events
from services.checks.codes import repository as codes
from services.checks.codes.attempts import FAILED_ATTEMPTS_WINDOW_SECONDS
from services.checks.context import Context

log = get_logger(__name__)

#: Retention of acknowledged events.
OUTBOX_RETENTION_HOURS: Final = 168
BATCH_SIZE: Final = 5_000
BATCHES_PER_RUN: Final = 100


def purge_old_records(context: Context) -> None:
    """Delete idempotency keys, closed outbox rows and failed attempts whose retention period has ended, in batches."""
    settings = context.settings
    # Twice the window, so that a process whose clock is behind still finds every attempt that counts.
    failures_before = context.clock.now() - timedelta(seconds=2 * FAILED_ATTEMPTS_WINDOW_SECONDS)
    purges: dict[str, Callable[[Connection], int]] = {
        "idempotency_keys": lambda tx: idempotency.purge(
            tx, older_than_hours=settings.idempotency_retention_hours, limit=BATCH_SIZE
        ),
        "outbox": lambda tx: outbox.purge_closed(tx, older_than_hours=OUTBOX_RETENTION_HOURS, limit=BATCH_SIZE),
        "failed_attempts": lambda tx: codes.purge_failed_attempts(tx, before=failures_before, limit=BATCH_SIZE),
    }
    for name, purge in purges.items():
        log.info(log_events.RECORDS_PURGED, table=name, rows=_in_batches(context, purge))


def _in_batches(context: Context, purge: Callable[[Connection], int]) -> int:
    total = 0
    for _ in range(BATCHES_PER_RUN):
        with context.db.autocommit() as tx:
            deleted = purge(tx)
        total += deleted
        if deleted < BATCH_SIZE:
            break
    return total
