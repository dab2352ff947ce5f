"""One HTTP exchange: what came in with a request, and the answer that goes out. Views know these and no framework."""

import re
import secrets
from collections.abc import Callable, Iterable, MutableMapping
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from http import HTTPStatus
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import UUID

from common.core import trace

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from flask import Flask

#: No request of the public API needs more. A route that takes more says so in ``current().max_body_bytes``.
MAX_BODY_BYTES: Final = 64 * 1024

_REQUEST_ID: Final = re.compile(r"^[A-Za-z0-9._-]{8,64}$")
_TRACEPARENT: Final = re.compile(r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")

_STATUS_LINES: Final = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
#: Answers without a body say nothing of its length (RFC 9110, 8.6).
_WITHOUT_BODY: Final = frozenset({HTTPStatus.NO_CONTENT.value, HTTPStatus.NOT_MODIFIED.value})

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(slots=True)
class Answer:
    """What a view gives back. There is no ``Content-Type`` but one that is said."""

    status: int = 200
    body: bytes = b""
    headers: MutableMapping[str, str] = field(default_factory=dict)

    def __call__(self, _environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        """Send it; an answer is a WSGI application, which is one of the things that Flask takes from a view."""
        headers = list(self.headers.items())
        if self.status not in _WITHOUT_BODY:
            headers.append(("Content-Length", str(len(self.body))))
        start_response(_STATUS_LINES[self.status], headers)
        return [self.body]


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified caller: which service, and for which user it speaks, if any."""

    service: str
    user_id: UUID | None


@dataclass(slots=True)
class Exchange:
    """A request that is being answered."""

    app: "Flask"
    #: As WSGI has it (PEP 3333): paths and headers are text of Latin-1.
    environ: "WSGIEnvironment"
    request_id: str
    started: float
    caller: Caller | None = None
    max_body_bytes: int = MAX_BODY_BYTES

    def header(self, name: str) -> str | None:
        """A header of the request."""
        value: str | None = self.environ.get(f"HTTP_{name.upper().replace('-', '_')}")
        return value


_current: ContextVar[Exchange] = ContextVar("exchange")


def current() -> Exchange:
    """The exchange that this thread works for; raises LookupError outside of one."""
    return _current.get()


def begin(app: "Flask", environ: "WSGIEnvironment") -> tuple[Exchange, Token[Exchange]]:
    """From here on this thread works for this request, until :func:`end` is given the token."""
    given, traceparent = environ.get("HTTP_X_REQUEST_ID", ""), environ.get("HTTP_TRACEPARENT", "")
    request_id = given if _REQUEST_ID.match(given) else secrets.token_hex(16)
    trace.begin(request_id, traceparent if _TRACEPARENT.match(traceparent) else None)
    exchange = Exchange(app, environ, request_id, perf_counter())
    return exchange, _current.set(exchange)


def end(token: Token[Exchange]) -> None:
    """The thread works for whatever it did before: an application may have been called by another, in a test say."""
    _current.reset(token)


def direct(view: View) -> View:
    """The route is answered without Flask's own machinery: its view asks ``current()``, not Flask, and has no values
    in its path. See ``LeanFlask``.
    """
    view.__fastcheck_direct__ = view  # type: ignore[attr-defined]
    return view
