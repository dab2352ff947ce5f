"""Names of queues and tasks. Every queue is consumed by the workers of exactly one service.

All messages use the default exchange, which behaves the same on Redis and RabbitMQ.
"""


def events_queue(service: str) -> str:
    """Return the queue of events for a subscriber."""
    return f"{service}.events"


def acknowledgements_queue(service: str) -> str:
    """Return the queue of acknowledgements for a publisher: ids of events that a subscriber has finished."""
    return f"{service}.acknowledgements"


def schedule_queue(service: str) -> str:
    """Return the queue of a service's scheduled tasks."""
    return f"{service}.schedule"


def consume_task(service: str) -> str:
    return f"{service}.consume_events"


def acknowledge_task(service: str) -> str:
    return f"{service}.acknowledge_events"


def queues_of(service: str) -> tuple[str, ...]:
    """Return the queues that the workers of ``service`` consume."""
    return (events_queue(service), acknowledgements_queue(service), schedule_queue(service))
