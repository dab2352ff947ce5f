"""Bus processes of payments: ``python -m services.payments.worker worker|scheduler|relay``."""

import sys
from functools import partial
from typing import Final

from common.bus.process import BusProcess, PeriodicTask, create_bus_process, run
from common.bus.signatures import MessageKeys
from services.payments.config import PaymentsSettings
from services.payments.context import Context
from services.payments.polling.tasks import poll_topups
from services.payments.refunds.tasks import pursue_refunds
from services.payments.retention.tasks import purge_old_records

#: Intervals between scans for top-ups that are due for polling, refunds that are due, and expired rows.
TOPUP_SWEEP_SECONDS: Final = 2.0
REFUND_SWEEP_SECONDS: Final = 5.0
RETENTION_SWEEP_SECONDS: Final = 3600.0
POLL_TASK = "payments.poll_topups"
REFUND_TASK = "payments.pursue_refunds"
PURGE_TASK = "payments.purge_old_records"


def build(settings: PaymentsSettings | None = None) -> BusProcess:
    """Create the scheduled tasks, the consumer of acknowledgements, and the relay."""
    settings = settings or PaymentsSettings.load()
    context = Context.open(settings, "payments-worker")
    return create_bus_process(
        MessageKeys("payments", settings.payments_token_key.get_secret_value(), settings.token_public_keys),
        settings,
        context.db,
        log_level=settings.log_level,
        tasks=[
            PeriodicTask(POLL_TASK, TOPUP_SWEEP_SECONDS, partial(poll_topups, context)),
            PeriodicTask(REFUND_TASK, REFUND_SWEEP_SECONDS, partial(pursue_refunds, context)),
            PeriodicTask(PURGE_TASK, RETENTION_SWEEP_SECONDS, partial(purge_old_records, context)),
        ],
        publishes=True,
    )


if __name__ == "__main__":
    run(build, sys.argv[1:])
