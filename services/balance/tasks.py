"""Scheduled tasks. Each is safe to run at any time, repeatedly and concurrently."""

from common.bus import inbox
from common.core.logging import get_logger
from common.db.engine import Database
from services.balance import chain, log_events

log = get_logger(__name__)

BATCH_SIZE = 5_000


def purge_old_records(db: Database, retention_days: int) -> None:
    """Delete old inbox rows. The ids of the ledger's transfers still prevent a second effect."""
    for purge in (inbox.purge_processed, inbox.purge_unprocessed):
        deleted = BATCH_SIZE
        while deleted == BATCH_SIZE:
            with db.autocommit() as tx:
                deleted = purge(tx, older_than_days=retention_days, limit=BATCH_SIZE)
            log.info(log_events.INBOX_PURGED, rows=deleted)


def seal_chain(db: Database) -> None:
    """Seal new transfers into the hash chain."""
    chain.seal(db)
