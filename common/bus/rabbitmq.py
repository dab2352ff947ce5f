"""What is different on RabbitMQ: queues that are replicated, publishing that is confirmed, a worker without timers."""

from typing import Any, Final

#: A quorum queue lives on several nodes of a cluster, and a message is in it when most of them have it on disk. How
#: often it may be delivered stays the broker's own business (a policy): a message that it drops, or that an operator
#: purges, comes again from the outbox, and what kills its consumers is counted and parked by the inbox.
QUEUE_ARGUMENTS: Final = {"x-queue-type": "quorum"}

SETTINGS: Final[dict[str, Any]] = {
    "task_create_missing_queue_type": "quorum",
    # A connection that died while nobody used it is found out by the first who publishes: he opens another, once.
    "task_publish_retry": True,
    "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0},
    # A broker that is gone without a word, as a machine without power is, and a worker that waits for the answer of a
    # queue without a leader, are noticed within three times this; then the worker connects anew.
    "broker_heartbeat": 5,
    # What is sent counts as sent when the broker says so, and not when the kernel has taken it.
    "broker_transport_options": {"confirm_publish": True},
    "worker_consumer": "common.bus.rabbitmq_consumer:ConsumerWithoutDelayedDelivery",
}


def speaks_amqp(url: str) -> bool:
    """Whether the broker at this URL is a RabbitMQ."""
    return url.startswith(("amqp://", "amqps://", "pyamqp://"))
