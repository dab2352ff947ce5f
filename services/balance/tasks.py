"""Time in: what the schedule calls. Each task may run at any time, twice, or twice at once."""

from common.bus import inbox
from common.core.logging import get_logger
from common.db.engine import Database
from services.balance import chain

log = get_logger(__name__)

BATCH_SIZE = 5_000


def purge_old_records(db: Database, retention_days: int) -> None:
    """Forget inbox rows that no publisher can send again: the ledger's own ids still stop a second effect."""
    deleted = BATCH_SIZE
    while deleted == BATCH_SIZE:
        with db.autocommit() as tx:
            deleted = inbox.purge_processed(tx, older_than_days=retention_days, limit=BATCH_SIZE)
        log.info("inbox purged", rows=deleted)


def seal_chain(db: Database) -> None:
    """Lead the hash chain up to the present."""
    chain.seal(db)
