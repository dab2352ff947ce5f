"""Bus processes of balance: ``python -m services.balance.worker worker|scheduler``."""

import sys
from typing import Final

from common.bus.celery_app import ScheduledTask, create_celery, register_task
from common.bus.inbox import Inbox
from common.bus.process import BusProcess, run
from common.bus.publishing import register_consumer
from common.core.logging import configure_logging
from services.balance import tasks
from services.balance.config import BalanceSettings
from services.balance.context import Context
from services.balance.handlers import HANDLERS

WORKER_THREADS: Final = 2
#: Interval between extensions of the hash chain over the ledger.
CHAIN_SEAL_SECONDS: Final = 10.0
#: Retention of the ids of processed events.
INBOX_RETENTION_DAYS: Final = 30
#: Interval between deletions of expired rows.
RETENTION_SWEEP_SECONDS: Final = 3600.0
PURGE_TASK = "balance.purge_old_records"
SEAL_TASK = "balance.seal_chain"


def build(settings: BalanceSettings | None = None) -> BusProcess:
    """The Celery application with the consumer of events and the scheduled tasks."""
    settings = settings or BalanceSettings.load()
    configure_logging("balance", settings.log_level)
    context = Context.open(settings, "balance-worker")
    app = create_celery(
        "balance",
        settings,
        [
            ScheduledTask(PURGE_TASK, RETENTION_SWEEP_SECONDS),
            ScheduledTask(SEAL_TASK, CHAIN_SEAL_SECONDS),
        ],
    )
    register_consumer(app, "balance", Inbox(context.db, HANDLERS, max_attempts=settings.inbox_max_attempts))

    def purge_old_records() -> None:
        tasks.purge_old_records(context.db, INBOX_RETENTION_DAYS)

    def seal_chain() -> None:
        tasks.seal_chain(context.db)

    register_task(app, PURGE_TASK, purge_old_records)
    register_task(app, SEAL_TASK, seal_chain)
    return BusProcess(app, threads=WORKER_THREADS)


if __name__ == "__main__":
    run(build, sys.argv[1:])
