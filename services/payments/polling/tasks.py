"""The scheduled task of polling. It may run at any time, twice, or twice at once."""

from typing import Final

from common.core.logging import get_logger
from services.payments import log_events
from services.payments.context import Context
from services.payments.polling import service

log = get_logger(__name__)

BATCH: Final = 50


def poll_topups(context: Context) -> None:
    """Poll banks for a batch of due top-ups, and expire top-ups that were not paid in time."""
    polled = service.poll_due(context, limit=BATCH)
    if polled:
        log.info(log_events.TOPUPS_POLLED, topups=polled)
