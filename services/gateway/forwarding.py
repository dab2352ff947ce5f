"""Forward a request to the service that owns it and return its response. Bodies are forwarded as bytes, unparsed."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from threading import BoundedSemaphore
from time import monotonic
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import quote
from uuid import UUID

from common.core.errors import ServiceUnavailable
from common.http.client.client import HttpResponse
from common.http.server.request import Request
from common.http.server.request_body import read_body
from common.http.server.response import Response
from services.gateway.client_address import client_address
from services.gateway.conditional import conditional
from services.gateway.context import Context
from services.gateway.csv_export import Export, first_page, stream, wants_csv
from services.gateway.known_devices import Device, as_header
from services.gateway.models import Call, Rate
from services.gateway.repository import GRACE_SECONDS

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

#: Request headers that are forwarded, by their names in WSGI. All others are dropped.
REQUEST_HEADERS: Final = {
    "CONTENT_TYPE": "Content-Type",
    "HTTP_IDEMPOTENCY_KEY": "Idempotency-Key",
    "HTTP_TRACEPARENT": "traceparent",
}

#: Headers of a bank's notification that are forwarded to payments in addition.
BANK_HEADERS: Final = {
    "HTTP_CONTENT_ENCODING": "Content-Encoding",
    "HTTP_DATE": "Date",
    "HTTP_DIGEST": "Digest",
    "HTTP_SIGNATURE": "Signature",
    "HTTP_USER_AGENT": "User-Agent",
    "HTTP_X_SIGNATURE": "X-Signature",
}

#: The client's own name, from which accounts derives the device of a session.
USER_AGENT: Final = {"HTTP_USER_AGENT": "X-Client-User-Agent"}

#: Response headers of a service that are returned to the client, by their lower-case names.
RESPONSE_HEADERS: Final = {
    name.lower(): name
    for name in (
        "Allow",
        "Cache-Control",
        "Content-Disposition",
        "Content-Security-Policy",
        "Content-Type",
        "ETag",
        "Idempotency-Replayed",
        "Location",
        "Retry-After",
    )
}

#: Every path is available with this prefix too. Services know the path without it.
VERSION_PREFIX: Final = "/v1"

_PATH_SAFE: Final = "/!$&'()*+,;=:@~"
_QUERY_SAFE: Final = "/!$&'()*+,;=:@~?%[]"


def forward(context: Context, request: Request, call: Call, extra: Mapping[str, str] | None = None) -> Response:
    """Return the owning service's response.

    ``extra`` holds headers to add. Raises ServiceUnavailable when the service does not respond or its pool is full,
    and as ``read_body``.
    """
    return conditional(request, _send(context, request, call, _body(context, request), extra or {}))


def forward_list(context: Context, request: Request, call: Call, export: Export) -> Response:
    """Return a page of a list as JSON, or the whole list as CSV if the client prefers that."""
    environ = request.environ
    if environ["REQUEST_METHOD"] != "GET" or not wants_csv(environ.get("HTTP_ACCEPT", "")):
        return forward(context, request, call)
    path, query = _path(environ), first_page(environ["QUERY_STRING"])

    def fetch(page_query: str) -> HttpResponse:
        # A token is valid for a minute, an export may take longer.
        headers = {
            "Authorization": f"Bearer {context.tokens.issue(call.service, call.user_id)}",
            "X-Request-ID": request.request_id,
        }
        return context.services[call.service].request("GET", f"{path}?{page_query}", headers=headers)

    first = fetch(query)
    if first.status != 200:
        return _returned(first)
    return cast("Response", stream(context, export, first, query, fetch))


def forward_guest(context: Context, request: Request, call: Call) -> Response:
    """Forward a request without a session; the service receives the client's address and ``User-Agent``."""
    extra = {"X-Client-Address": _address(context, request), **_present(USER_AGENT, request.environ)}
    return forward(context, request, call, extra)


def forward_sign_in(context: Context, request: Request, call: Call) -> Response:
    """Forward a sign-in or a registration; after a success, the client can prove that the user signed in there."""
    extra = {
        "X-Client-Address": _address(context, request),
        **_present(USER_AGENT, request.environ),
        **as_header(call.devices),
    }
    response = _send(context, request, call, _body(context, request), extra)
    if response.status in (200, 201):
        user_id = UUID(json.loads(response.body)["userID"])
        device = next((each for each in call.devices if each.user_id == user_id), None) or Device.new(user_id)
        response.headers["Set-Cookie"] = context.devices.cookie(device)
    return response


def forward_with_session(context: Context, request: Request, call: Call) -> Response:
    """Forward a read that shows which session the request was sent with."""
    return forward(context, request, call, {"X-Session-Hash": call.session_hash or ""})


def forward_with_address(context: Context, request: Request, call: Call) -> Response:
    """Forward a request whose failures the service counts per client address, which it receives."""
    return forward(context, request, call, {"X-Client-Address": _address(context, request)})


def forward_notification(context: Context, request: Request, call: Call) -> Response:
    """Forward a bank's notification with its address and the headers that may carry its signature."""
    extra = {**_present(BANK_HEADERS, request.environ), "X-Client-Address": _address(context, request)}
    return forward(context, request, call, extra)


def forward_for_session(context: Context, request: Request, call: Call) -> Response:
    """Forward a request that ends sessions. After a success, no service accepts any of the ended sessions.

    See ``repository`` for the method. Raises CacheDown, without any effect, when Redis does not respond, and
    ServiceUnavailable when accounts responded later than the barrier allows; the client then repeats the request.
    """
    if call.user_id is None or call.session_hash is None:
        raise TypeError("only a signed-in user has sessions to end")
    body = _body(context, request)
    started_at = monotonic()
    context.cache.raise_barrier(call.user_id)
    response = _send(context, request, call, body, {"X-Session-Hash": call.session_hash})
    if monotonic() - started_at > GRACE_SECONDS:
        raise ServiceUnavailable  # the barrier may have expired before accounts deleted the session
    return response


def _send(context: Context, request: Request, call: Call, body: bytes | None, extra: Mapping[str, str]) -> Response:
    environ = request.environ
    headers = {
        "Authorization": f"Bearer {context.tokens.issue(call.service, call.user_id)}",
        "X-Request-ID": request.request_id,
        **_present(REQUEST_HEADERS, environ),
        **extra,
    }
    client, target = context.services[call.service], _target(environ)
    with _slot(context.password_slots) if call.rate in (Rate.PASSWORD, Rate.REGISTER) else nullcontext():
        response = client.request(environ["REQUEST_METHOD"], target, headers=headers, body=body)
    return _returned(response)


def _body(context: Context, request: Request) -> bytes | None:
    """Return the complete body, None for GET and HEAD; raises as ``read_body``.

    The server has no time-out for a slow body, so the number of threads that read bodies is bounded.
    """
    if request.environ["REQUEST_METHOD"] in ("GET", "HEAD"):
        return None
    with _slot(context.body_slots):
        return read_body(request)


@contextmanager
def _slot(slots: BoundedSemaphore) -> Iterator[None]:
    if not slots.acquire(blocking=False):
        raise ServiceUnavailable
    try:
        yield
    finally:
        slots.release()


def _target(environ: "WSGIEnvironment") -> str:
    """Return path and query as the client sent them, percent-encoded and without the version.

    WSGI passes the path decoded, as Latin-1 (PEP 3333), and the query unchanged.
    """
    path = _path(environ)
    query = environ["QUERY_STRING"].encode("latin-1")
    return f"{path}?{quote(query, safe=_QUERY_SAFE)}" if query else path


def _path(environ: "WSGIEnvironment") -> str:
    return quote(environ["PATH_INFO"].removeprefix(VERSION_PREFIX).encode("latin-1"), safe=_PATH_SAFE)


def _address(context: Context, request: Request) -> str:
    return client_address(request.environ, context.settings.client_address_header)


def _present(names: Mapping[str, str], environ: "WSGIEnvironment") -> dict[str, str]:
    return {name: environ[key] for key, name in names.items() if key in environ}


def _returned(response: HttpResponse) -> Response:
    headers = {name: response.headers[key] for key, name in RESPONSE_HEADERS.items() if key in response.headers}
    # Responses are personal and change at any time, so no cache may store them.
    headers.setdefault("Cache-Control", "no-store")
    return Response(response.status, response.body, headers)
