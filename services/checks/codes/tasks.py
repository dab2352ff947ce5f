"""The scheduled task of the codes. It may run at any time, twice, or twice at once."""

from typing import Final
from uuid import UUID

from common.core.logging import get_logger
from services.checks import log_events
from services.checks.codes import service
from services.checks.codes.repository import Position
from services.checks.context import Context

log = get_logger(__name__)

BATCH_SIZE: Final = 200
BATCHES_PER_RUN: Final = 500


def renew_codes(context: Context) -> None:
    """Re-encrypt the codes of active checks with the newest key, and log how many still need an older one."""
    after: Position = (context.clock.now(), UUID(int=0))
    renewed = unreadable = 0
    for _ in range(BATCHES_PER_RUN):
        batch = service.renew_codes(context, after, BATCH_SIZE)
        renewed, unreadable = renewed + batch.renewed, unreadable + batch.unreadable
        if batch.last is None:
            break
        after = batch.last
    log.info(log_events.CODES_RENEWED, renewed=renewed, under_old_keys=service.count_under_old_keys(context))
    if unreadable:
        log.error(log_events.CODES_UNREADABLE, checks=unreadable)
