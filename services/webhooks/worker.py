"""Bus processes of webhooks: ``python -m services.webhooks.worker worker|scheduler``."""

import sys
from dataclasses import replace
from functools import partial
from threading import BoundedSemaphore
from typing import Final

from common.bus.inbox import Inbox
from common.bus.process import BusProcess, PeriodicTask, create_bus_process, run
from common.bus.signatures import MessageKeys
from services.webhooks import tasks
from services.webhooks.config import WebhooksSettings
from services.webhooks.context import Context
from services.webhooks.handlers import handlers

#: Interval between deletions of expired rows.
RETENTION_SWEEP_SECONDS: Final = 3600.0
#: Batches of deliveries at once in one process, and its threads: the others consume events.
DELIVERY_SLOTS: Final = 4
THREADS: Final = 6
DELIVER_TASK = "webhooks.deliver_due"
PURGE_TASK = "webhooks.purge_old_records"


def build(settings: WebhooksSettings | None = None) -> BusProcess:
    """Create the consumer of events and the scheduled tasks."""
    settings = settings or WebhooksSettings.load()
    context = Context.open(settings, "webhooks-worker")
    deliver = partial(tasks.deliver_due, context, BoundedSemaphore(DELIVERY_SLOTS))
    process = create_bus_process(
        MessageKeys("webhooks", settings.webhooks_token_key.get_secret_value(), settings.token_public_keys),
        settings,
        context.db,
        log_level=settings.log_level,
        tasks=[
            PeriodicTask(DELIVER_TASK, settings.webhook_poll_seconds, deliver),
            PeriodicTask(PURGE_TASK, RETENTION_SWEEP_SECONDS, partial(tasks.purge_old_records, context)),
        ],
        inbox=Inbox(context.db, handlers(context.clock), max_attempts=settings.inbox_max_attempts),
    )
    return replace(process, threads=THREADS)


if __name__ == "__main__":
    run(build, sys.argv[1:])
