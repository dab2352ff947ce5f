"""The worker's consumer on RabbitMQ; imported by Celery, by its name, in the process of a worker alone."""

from typing import ClassVar

from celery.worker.consumer import Consumer


class ConsumerWithoutDelayedDelivery(Consumer):  # type: ignore[misc]
    """Celery's consumer without delayed delivery.

    For quorum queues Celery lays out 28 exchanges and 28 queues through which a message with a countdown would travel
    for its time. Nobody here sends one: time is a row, not a message.
    """

    class Blueprint(Consumer.Blueprint):  # type: ignore[misc]
        default_steps: ClassVar = [
            step for step in Consumer.Blueprint.default_steps if not step.endswith(":DelayedDelivery")
        ]
