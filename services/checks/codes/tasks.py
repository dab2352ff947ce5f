"""The scheduled task of the codes. It may run at any time, twice, or twice at once."""

from typing import Final
from uuid import UUID

from common.core.logging import get_logger
from services.checks.codes import service
from services.checks.codes.repository import Place
from services.checks.context import Context

log = get_logger(__name__)

BATCH_SIZE: Final = 200
BATCHES_PER_RUN: Final = 500


def renew_codes(context: Context) -> None:
    """Bring the codes of active checks under the newest key, and say how many still need an old one."""
    after: Place = (context.clock.now(), UUID(int=0))
    renewed = unreadable = 0
    for _ in range(BATCHES_PER_RUN):
        batch = service.renew_codes(context, after, BATCH_SIZE)
        renewed, unreadable = renewed + batch.renewed, unreadable + batch.unreadable
        if batch.last is None:
            break
        after = batch.last
    left = service.count_left(context)
    log.info("codes under the newest key", renewed=renewed, under_old_keys=left)
    if unreadable:
        log.error("codes cannot be read: a key was dropped too early", checks=unreadable)
