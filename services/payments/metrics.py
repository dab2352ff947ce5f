"""Prometheus metrics of bank calls and notifications."""

from typing import Final

from prometheus_client import Counter, Histogram

NOTIFICATIONS: Final = Counter(
    "fastcheck_bank_notifications_total",
    "Notifications and status reports by verdict; verdicts other than applied and noted need an operator",
    ("bank", "source", "verdict"),
)

BANK_SECONDS: Final = Histogram(
    "fastcheck_bank_call_seconds",
    "Duration of bank calls in seconds, by HTTP status; none: no response",
    ("bank", "method", "status"),
    buckets=(0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0),
)
