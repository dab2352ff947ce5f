"""The metric of HTTP requests."""

from functools import cache
from http import HTTPMethod
from typing import Final

from prometheus_client import Histogram

REQUEST_SECONDS: Final = Histogram(
    "fastcheck_request_seconds",
    "Time from the first line of a request to its answer",
    ("method", "route", "status"),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
)


_METHODS: Final = frozenset(HTTPMethod)


def observe_request(method: str, route: str, status: int, seconds: float) -> None:
    """Observe the duration of one request."""
    # Clients choose the method freely; unknown ones share a label, so that the number of series stays bounded.
    _seconds_of(method if method in _METHODS else "other", route, status).observe(seconds)


@cache
def _seconds_of(method: str, route: str, status: int) -> Histogram:
    """Return the series, cached because the lookup by labels is slow; the registry never drops a series either."""
    return REQUEST_SECONDS.labels(method, route, str(status))
