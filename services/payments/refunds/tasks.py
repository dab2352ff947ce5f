"""The scheduled task of refunds. It may run at any time, twice, or twice at once."""

from typing import Final

from common.core.logging import get_logger
from services.payments import log_events
from services.payments.context import Context
from services.payments.refunds import service

log = get_logger(__name__)

BATCH: Final = 20


def pursue_refunds(context: Context) -> None:
    """Advance a batch of due refunds, which wait for balance or for a bank."""
    moved = service.pursue_due(context, limit=BATCH)
    if moved:
        log.info(log_events.REFUNDS_PURSUED, refunds=moved)
