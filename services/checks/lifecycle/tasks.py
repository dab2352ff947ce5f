"""The scheduled tasks of the lifecycle. Each may run at any time, twice, or twice at once."""

from datetime import timedelta
from typing import Final

from common.core.logging import get_logger
from services.checks import log_events
from services.checks.context import Context
from services.checks.lifecycle import repository, service

log = get_logger(__name__)

#: Bounds of one run: it ends before the broker considers its worker dead, and the next tick continues.
EXPIRY_BATCH_SIZE: Final = 500
EXPIRY_BATCHES_PER_RUN: Final = 200
PENDING_BATCH_SIZE: Final = 20
PENDING_BATCHES_PER_RUN: Final = 25

#: A check that is pending for longer than this is logged as an error, for the operator.
PENDING_TOO_LONG: Final = timedelta(minutes=1)


def expire_due_checks(context: Context) -> int:
    """Expire the checks that are due, in batches; return their number."""
    total = 0
    for _ in range(EXPIRY_BATCHES_PER_RUN):
        expired = service.expire_due_checks(context, EXPIRY_BATCH_SIZE)
        total += expired
        if expired < EXPIRY_BATCH_SIZE:
            break
    if total:
        log.info(log_events.CHECKS_EXPIRED, checks=total)
    return total


def finish_pending_checks(context: Context) -> None:
    """Decide the checks whose creation was interrupted, and log those that have been pending for too long."""
    for _ in range(PENDING_BATCHES_PER_RUN):
        if not service.finish_pending_checks(context, PENDING_BATCH_SIZE):
            break
    now = context.clock.now()
    with context.db.autocommit() as tx:
        undecided = repository.undecided(tx, created_before=now - PENDING_TOO_LONG)
    if undecided is not None:
        log.error(
            log_events.CHECKS_PENDING_TOO_LONG,
            checks=undecided.checks,
            oldest_seconds=round((now - undecided.oldest_created_at).total_seconds()),
            most_tries=undecided.most_tries,
        )
