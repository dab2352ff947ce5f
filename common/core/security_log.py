"""The security audit trail: log events with constant names, each of which also counts in a metric.

Its lines have ``"trail": "security"``. They name users, addresses and objects, and hold no secret.
"""

from typing import Final

from prometheus_client import Counter

from common.core.logging import get_logger

SECURITY_EVENTS: Final = Counter(
    "fastcheck_security_events_total", "Events of the security audit trail, by log event", ("event",)
)


class SecurityLog:
    """Writes events of the trail. ``info`` is for what users do, ``warning`` for what may be an attack."""

    def __init__(self, name: str) -> None:
        """``name`` is the module that writes."""
        self._log = get_logger(name)

    def info(self, event: str, **fields: object) -> None:
        """Write and count an expected event."""
        SECURITY_EVENTS.labels(event).inc()
        self._log.info(event, trail="security", **fields)

    def warning(self, event: str, **fields: object) -> None:
        """Write and count an event that operators may have to look at."""
        SECURITY_EVENTS.labels(event).inc()
        self._log.warning(event, trail="security", **fields)
