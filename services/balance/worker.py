"""Bus processes of balance: ``python -m services.balance.worker worker|scheduler``."""

import sys
from functools import partial
from typing import Final

from common.bus.inbox import Inbox
from common.bus.process import BusProcess, PeriodicTask, create_bus_process, run
from common.bus.signatures import MessageKeys
from services.balance import tasks
from services.balance.config import BalanceSettings
from services.balance.context import Context
from services.balance.handlers import HANDLERS

#: Interval between extensions of the hash chain over the ledger.
CHAIN_SEAL_SECONDS: Final = 10.0
#: Retention of the ids of processed events.
INBOX_RETENTION_DAYS: Final = 30
#: Interval between deletions of expired rows.
RETENTION_SWEEP_SECONDS: Final = 3600.0
PURGE_TASK = "balance.purge_old_records"
SEAL_TASK = "balance.seal_chain"


def build(settings: BalanceSettings | None = None) -> BusProcess:
    """Create the consumer of events and the scheduled tasks."""
    settings = settings or BalanceSettings.load()
    db = Context.open(settings, "balance-worker").db
    purge = partial(tasks.purge_old_records, db, INBOX_RETENTION_DAYS)
    return create_bus_process(
        MessageKeys("balance", settings.balance_token_key.get_secret_value(), settings.token_public_keys),
        settings,
        db,
        log_level=settings.log_level,
        tasks=[
            PeriodicTask(PURGE_TASK, RETENTION_SWEEP_SECONDS, purge),
            PeriodicTask(SEAL_TASK, CHAIN_SEAL_SECONDS, partial(tasks.seal_chain, db)),
        ],
        inbox=Inbox(db, HANDLERS, max_attempts=settings.inbox_max_attempts),
    )


if __name__ == "__main__":
    run(build, sys.argv[1:])
