"""What ties together all that is done for one request, over every service: its id, and W3C's ``traceparent``."""

from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Final

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})

_current: ContextVar[Mapping[str, str]] = ContextVar("trace", default=_NOTHING)

#: What a caller tells of it over HTTP.
HEADERS: Final = {"request_id": "X-Request-ID", "traceparent": "traceparent"}


def begin(request_id: str, traceparent: str | None = None) -> None:
    """From here on this thread works for this request, and no longer for the one before."""
    _current.set(
        {"request_id": request_id} if traceparent is None else {"request_id": request_id, "traceparent": traceparent}
    )


def current() -> Mapping[str, str]:
    """``request_id`` and ``traceparent``, as far as they are known; nothing outside of a request."""
    return _current.get()


def headers() -> dict[str, str]:
    """The same as headers for a call to another service."""
    return {HEADERS[name]: value for name, value in _current.get().items()}
