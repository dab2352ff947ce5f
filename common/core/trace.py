"""The trace of a request across services: its request id and W3C ``traceparent``."""

from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Final

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})

_current: ContextVar[Mapping[str, str]] = ContextVar("trace", default=_NOTHING)

#: The HTTP headers that carry the trace.
HEADERS: Final = {"request_id": "X-Request-ID", "traceparent": "traceparent"}


def begin(request_id: str, traceparent: str | None = None) -> None:
    """Set the trace of the current thread, replacing that of the previous request."""
    _current.set(
        {"request_id": request_id} if traceparent is None else {"request_id": request_id, "traceparent": traceparent}
    )


def current() -> Mapping[str, str]:
    """Return ``request_id`` and ``traceparent`` as far as known; empty outside of a request."""
    return _current.get()


def headers() -> dict[str, str]:
    """Return the trace as headers for a call to another service."""
    return {HEADERS[name]: value for name, value in _current.get().items()}
