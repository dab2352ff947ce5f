"""What Prometheus is told of banks and their words, beside the requests that all services count."""

from typing import Final

from prometheus_client import Counter

NOTIFICATIONS: Final = Counter(
    "fastcheck_bank_notifications_total",
    "Words of banks by verdict; every verdict but applied and noted is for the operator to look at",
    ("bank", "source", "verdict"),
)
