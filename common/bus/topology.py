"""Names of queues and tasks. Every queue is consumed by exactly one kind of worker.

All go through the default exchange, which behaves alike on Redis and on RabbitMQ.
"""


def events_queue(service: str) -> str:
    """Where the events for a subscriber wait."""
    return f"{service}.events"


def acknowledgements_queue(service: str) -> str:
    """Where the ids of events that a subscriber has finished go back to their publisher."""
    return f"{service}.acknowledgements"


def schedule_queue(service: str) -> str:
    """Where the scheduler's nudges wait."""
    return f"{service}.schedule"


def consume_task(service: str) -> str:
    return f"{service}.consume_events"


def acknowledge_task(service: str) -> str:
    return f"{service}.acknowledge_events"


def queues_of(service: str) -> tuple[str, ...]:
    """Everything that the worker of ``service`` listens to."""
    return (events_queue(service), acknowledgements_queue(service), schedule_queue(service))
