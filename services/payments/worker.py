"""Bus processes of payments: ``python -m services.payments.worker worker|scheduler|relay``."""

import sys
from typing import Final

from common.bus.celery_app import ScheduledTask, create_celery, register_task
from common.bus.process import BusProcess, run
from common.bus.publishing import register_publisher
from common.bus.relay import Relay
from common.core.logging import configure_logging
from services.payments.config import PaymentsSettings
from services.payments.context import Context
from services.payments.polling.tasks import poll_topups
from services.payments.refunds.tasks import pursue_refunds
from services.payments.retention.tasks import purge_old_records

WORKER_THREADS: Final = 2
#: Intervals between scans for top-ups that are due for polling, refunds that are due, and expired rows.
TOPUP_SWEEP_SECONDS: Final = 2.0
REFUND_SWEEP_SECONDS: Final = 5.0
RETENTION_SWEEP_SECONDS: Final = 3600.0
POLL_TASK = "payments.poll_topups"
REFUND_TASK = "payments.pursue_refunds"
PURGE_TASK = "payments.purge_old_records"


def build(settings: PaymentsSettings | None = None) -> BusProcess:
    """The Celery application with the scheduled tasks, and the relay of the outbox."""
    settings = settings or PaymentsSettings.load()
    configure_logging("payments", settings.log_level)
    context = Context.open(settings, "payments-worker")
    app = create_celery(
        "payments",
        settings,
        [
            ScheduledTask(POLL_TASK, TOPUP_SWEEP_SECONDS),
            ScheduledTask(REFUND_TASK, REFUND_SWEEP_SECONDS),
            ScheduledTask(PURGE_TASK, RETENTION_SWEEP_SECONDS),
        ],
    )
    register_publisher(app, "payments", context.db)
    register_task(app, POLL_TASK, poll_topups, context)
    register_task(app, REFUND_TASK, pursue_refunds, context)
    register_task(app, PURGE_TASK, purge_old_records, context)
    return BusProcess(app, relay=Relay("payments", context.db, app, settings), threads=WORKER_THREADS)


if __name__ == "__main__":
    run(build, sys.argv[1:])
