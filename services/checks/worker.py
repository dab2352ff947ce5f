"""Bus processes of checks: ``python -m services.checks.worker worker|scheduler|relay``."""

import sys
from typing import Final

from common.bus.celery_app import ScheduledTask, create_celery, register_task
from common.bus.process import BusProcess, run
from common.bus.publishing import register_publisher
from common.bus.relay import Relay
from common.core.logging import configure_logging
from services.checks.codes import tasks as codes
from services.checks.config import ChecksSettings
from services.checks.context import Context
from services.checks.lifecycle import tasks as lifecycle
from services.checks.retention import tasks as retention

WORKER_THREADS: Final = 2
#: Interval between scans for codes under old keys. A key changes with a restart, which scans at once.
CODE_KEY_SWEEP_SECONDS: Final = 600.0
#: Interval between deletions of expired rows. A run deletes up to 500,000 rows per table: 1,600 per second.
RETENTION_SWEEP_SECONDS: Final = 300.0
EXPIRE_TASK = "checks.expire_due_checks"
FINISH_TASK = "checks.finish_pending_checks"
RENEW_TASK = "checks.renew_codes"
PURGE_TASK = "checks.purge_old_records"


def build(settings: ChecksSettings | None = None) -> BusProcess:
    """Build the Celery application with the scheduled tasks and the consumer of acknowledgements, and the relay."""
    settings = settings or ChecksSettings.load()
    configure_logging("checks", settings.log_level)
    context = Context.open(settings, "checks-worker")
    app = create_celery(
        "checks",
        settings,
        [
            ScheduledTask(EXPIRE_TASK, settings.expiry_sweep_seconds),
            ScheduledTask(FINISH_TASK, settings.pending_sweep_seconds),
            ScheduledTask(RENEW_TASK, CODE_KEY_SWEEP_SECONDS),
            ScheduledTask(PURGE_TASK, RETENTION_SWEEP_SECONDS),
        ],
    )
    register_publisher(app, "checks", context.db)
    register_task(app, EXPIRE_TASK, lifecycle.expire_due_checks, context)
    register_task(app, FINISH_TASK, lifecycle.finish_pending_checks, context)
    register_task(app, RENEW_TASK, codes.renew_codes, context)
    register_task(app, PURGE_TASK, retention.purge_old_records, context)
    return BusProcess(app, relay=Relay("checks", context.db, app, settings), threads=WORKER_THREADS)


if __name__ == "__main__":
    run(build, sys.argv[1:])
