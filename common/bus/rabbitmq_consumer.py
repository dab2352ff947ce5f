"""The worker's consumer on RabbitMQ, which Celery imports by name in worker processes."""

from typing import ClassVar

from celery.worker.consumer import Consumer


class ConsumerWithoutDelayedDelivery(Consumer):  # type: ignore[misc]
    """Celery's consumer without delayed delivery.

    For quorum queues Celery declares 28 exchanges and 28 queues to delay messages with a countdown. FastCheck sends no
    such message: deadlines are rows.
    """

    class Blueprint(Consumer.Blueprint):  # type: ignore[misc]
        default_steps: ClassVar = [
            step for step in Consumer.Blueprint.default_steps if not step.endswith(":DelayedDelivery")
        ]
