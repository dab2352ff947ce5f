"""Bus processes of checks: ``python -m services.checks.worker worker|scheduler|relay``."""

import sys
from functools import partial
from typing import Final

from common.bus.process import BusProcess, PeriodicTask, create_bus_process, run
from common.bus.signatures import MessageKeys
from services.checks.codes.tasks import renew_codes
from services.checks.config import ChecksSettings
from services.checks.context import Context
from services.checks.lifecycle.tasks import expire_due_checks, finish_pending_checks
from services.checks.retention.tasks import purge_old_records

#: Interval between scans for codes under old keys. A key changes with a restart, which scans at once.
CODE_KEY_SWEEP_SECONDS: Final = 600.0
#: Interval between deletions of expired rows. A run deletes up to 500,000 rows per table: 1,600 per second.
RETENTION_SWEEP_SECONDS: Final = 300.0
EXPIRE_TASK = "checks.expire_due_checks"
FINISH_TASK = "checks.finish_pending_checks"
RENEW_TASK = "checks.renew_codes"
PURGE_TASK = "checks.purge_old_records"


def build(settings: ChecksSettings | None = None) -> BusProcess:
    """Create the scheduled tasks, the consumer of acknowledgements, and the relay."""
    settings = settings or ChecksSettings.load()
    context = Context.open(settings, "checks-worker")
    expire, finish = partial(expire_due_checks, context), partial(finish_pending_checks, context)
    return create_bus_process(
        MessageKeys("checks", settings.checks_token_key.get_secret_value(), settings.token_public_keys),
        settings,
        context.db,
        log_level=settings.log_level,
        tasks=[
            PeriodicTask(EXPIRE_TASK, settings.expiry_sweep_seconds, expire),
            PeriodicTask(FINISH_TASK, settings.pending_sweep_seconds, finish),
            PeriodicTask(RENEW_TASK, CODE_KEY_SWEEP_SECONDS, partial(renew_codes, context)),
            PeriodicTask(PURGE_TASK, RETENTION_SWEEP_SECONDS, partial(purge_old_records, context)),
        ],
        publishes=True,
    )


if __name__ == "__main__":
    run(build, sys.argv[1:])
