"""Time in: what the schedule calls. Each task may run at any time, twice, or twice at once."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final
from uuid import UUID

from common.bus import outbox
from common.core.logging import get_logger
from common.db import idempotency
from common.db.connection import Connection
from services.checks import code_keys, repository, service
from services.checks.code_repository import Place
from services.checks.context import Context

log = get_logger(__name__)

#: One run ends before the broker takes its worker for dead; the next nudge goes on where it stopped.
EXPIRY_BATCH_SIZE: Final = 500
EXPIRY_BATCHES_PER_RUN: Final = 200
PENDING_BATCH_SIZE: Final = 20
PENDING_BATCHES_PER_RUN: Final = 25
CODES_BATCH_SIZE: Final = 200
CODES_BATCHES_PER_RUN: Final = 500
PURGE_BATCH_SIZE: Final = 5_000
PURGE_BATCHES_PER_RUN: Final = 100

#: A check that is pending for longer than this is told to the operator.
UNDECIDED_TOO_LONG: Final = timedelta(minutes=1)


def expire_due_checks(context: Context) -> int:
    """Expire what is due; returns how many."""
    total = 0
    for _ in range(EXPIRY_BATCHES_PER_RUN):
        expired = service.expire_due_checks(context, EXPIRY_BATCH_SIZE)
        total += expired
        if expired < EXPIRY_BATCH_SIZE:
            break
    if total:
        log.info("checks expired", checks=total)
    return total


def finish_pending_checks(context: Context) -> None:
    """Decide the checks whose creation was cut short, and tell of those that stay undecided."""
    for _ in range(PENDING_BATCHES_PER_RUN):
        if not service.finish_pending_checks(context, PENDING_BATCH_SIZE):
            break
    now = context.clock.now()
    with context.db.autocommit() as tx:
        undecided = repository.undecided(tx, created_before=now - UNDECIDED_TOO_LONG)
    if undecided is not None:
        log.error(
            "checks undecided for too long",
            checks=undecided.checks,
            oldest_seconds=round((now - undecided.oldest_created_at).total_seconds()),
            most_tries=undecided.most_tries,
        )


def renew_codes(context: Context) -> None:
    """Bring the codes of active checks under the newest key, and say how many still need an old one."""
    after: Place = (context.clock.now(), UUID(int=0))
    renewed = unreadable = 0
    for _ in range(CODES_BATCHES_PER_RUN):
        batch = code_keys.renew_codes(context, after, CODES_BATCH_SIZE)
        renewed, unreadable = renewed + batch.renewed, unreadable + batch.unreadable
        if batch.last is None:
            break
        after = batch.last
    left = code_keys.count_left(context)
    log.info("codes under the newest key", renewed=renewed, under_old_keys=left)
    if unreadable:
        log.error("codes cannot be read: a key was dropped too early", checks=unreadable)


def purge_old_records(context: Context) -> None:
    """Forget what no answer depends on any more."""
    settings = context.settings
    # Twice the window: what counts for somebody's clock is still there.
    failures_before = context.clock.now() - timedelta(seconds=2 * settings.failed_attempts_window_seconds)
    purges: dict[str, Callable[[Connection], int]] = {
        "idempotency_keys": lambda tx: idempotency.purge(
            tx, older_than_hours=settings.idempotency_retention_hours, limit=PURGE_BATCH_SIZE
        ),
        "outbox": lambda tx: outbox.purge_closed(
            tx, older_than_hours=settings.outbox_retention_hours, limit=PURGE_BATCH_SIZE
        ),
        "failed_attempts": lambda tx: repository.purge_failed_attempts(
            tx, before=failures_before, limit=PURGE_BATCH_SIZE
        ),
    }
    for name, purge in purges.items():
        log.info("old records purged", table=name, rows=_in_batches(context, purge))


def _in_batches(context: Context, purge: Callable[[Connection], int]) -> int:
    total = 0
    for _ in range(PURGE_BATCHES_PER_RUN):
        with context.db.autocommit() as tx:
            deleted = purge(tx)
        total += deleted
        if deleted < PURGE_BATCH_SIZE:
            break
    return total
