"""What Prometheus is told of banks and their words, beside the requests that all services count."""

from typing import Final

from prometheus_client import Counter, Histogram

NOTIFICATIONS: Final = Counter(
    "fastcheck_bank_notifications_total",
    "Words of banks by verdict; every verdict but applied and noted is for the operator to look at",
    ("bank", "source", "verdict"),
)

BANK_SECONDS: Final = Histogram(
    "fastcheck_bank_call_seconds",
    "Time of calls to a bank, by what it answered; none: no answer",
    ("bank", "method", "status"),
    buckets=(0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0),
)
