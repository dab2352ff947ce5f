"""The request that a view receives. Views know this class and :class:`Response`, and not the web framework."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import UUID

from common.core import trace
from common.http.server.identity import Caller

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from flask import Flask

#: The default limit of a request body in bytes. A route with a larger one sets it in its guard, see ``endpoint``.
MAX_BODY_BYTES: Final = 64 * 1024

#: The key of the WSGI environment under which a request that Flask dispatches is stored.
ENVIRON_KEY: Final = "fastcheck.request"

_REQUEST_ID: Final = re.compile(r"^[A-Za-z0-9._-]{8,64}$")
_TRACEPARENT: Final = re.compile(r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")


@dataclass(slots=True)
class Request:
    """A request in progress."""

    app: "Flask"
    #: The WSGI environment (PEP 3333): paths and headers are Latin-1 text.
    environ: "WSGIEnvironment"
    request_id: str
    #: The value of ``time.perf_counter()``, in seconds.
    started_at: float
    caller: Caller | None = None
    max_body_bytes: int = MAX_BODY_BYTES
    #: Headers of the response, whether it is the view's or that of an error.
    response_headers: Mapping[str, str] | None = None

    @property
    def context(self) -> Any:
        """The context of the service that handles the request."""
        return self.app.extensions["context"]

    @property
    def user_id(self) -> UUID:
        """The signed-in user; only for views guarded by ``user_only``, which ensures that there is one."""
        return cast("UUID", cast("Caller", self.caller).user_id)

    @property
    def calling_service(self) -> str:
        """The calling service; only for guarded views."""
        return cast("Caller", self.caller).service

    def header(self, name: str) -> str | None:
        """Return a request header, or None."""
        value: str | None = self.environ.get(f"HTTP_{name.upper().replace('-', '_')}")
        return value


def begin_request(app: "Flask", environ: "WSGIEnvironment") -> Request:
    """Create the request and start its trace. A valid ``X-Request-ID`` of the client is used, else one is generated."""
    given, traceparent = environ.get("HTTP_X_REQUEST_ID", ""), environ.get("HTTP_TRACEPARENT", "")
    request_id = given if _REQUEST_ID.match(given) else secrets.token_hex(16)
    trace.begin(request_id, traceparent if _TRACEPARENT.match(traceparent) else None)
    return Request(app, environ, request_id, perf_counter())
