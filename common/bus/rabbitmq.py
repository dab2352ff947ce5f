"""Settings for RabbitMQ: replicated queues, confirmed publishing, a worker without delayed delivery."""

from typing import Any, Final

#: A quorum queue is replicated, and accepts a message when a majority of nodes has it on disk. The delivery limit is a
#: policy of the broker: the outbox sends a dropped or purged message again, and the inbox parks an event that kills
#: its consumers.
QUEUE_ARGUMENTS: Final = {"x-queue-type": "quorum"}

SETTINGS: Final[dict[str, Any]] = {
    "task_create_missing_queue_type": "quorum",
    # The first publish on a connection that was closed while idle fails; it is retried once on a new connection.
    "task_publish_retry": True,
    "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0},
    # Detects a broker that vanished without closing the connection, and a wait for a queue without a leader, within
    # three intervals; the worker then reconnects.
    "broker_heartbeat": 5,
    # A message counts as sent when the broker confirms it, not when the kernel has buffered it.
    "broker_transport_options": {"confirm_publish": True},
    "worker_consumer": "common.bus.rabbitmq_consumer:ConsumerWithoutDelayedDelivery",
}


def speaks_amqp(url: str) -> bool:
    """Whether the broker at this URL is a RabbitMQ."""
    return url.startswith(("amqp://", "amqps://", "pyamqp://"))
