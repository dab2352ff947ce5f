"""Hands a request on to the service that owns it, and its answer back. Bodies are bytes here, never looked into."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from threading import BoundedSemaphore
from time import monotonic
from typing import Final
from urllib.parse import quote

from common.core.errors import ServiceUnavailable
from common.http.client.client import HttpAnswer
from common.http.server.body import read_body
from common.http.server.context import context_of
from common.http.server.exchange import Answer, current
from services.gateway.client_address import client_address
from services.gateway.context import Context
from services.gateway.models import Call, Rate
from services.gateway.repository import GRACE_SECONDS

#: What of a client's request reaches a service, by its name in WSGI. All else stays outside, whatever a client may
#: write into it.
REQUEST_HEADERS: Final = {
    "CONTENT_TYPE": "Content-Type",
    "HTTP_IDEMPOTENCY_KEY": "Idempotency-Key",
    "HTTP_TRACEPARENT": "traceparent",
}

#: What of a bank's notification reaches payments besides.
BANK_HEADERS: Final = {
    "HTTP_CONTENT_ENCODING": "Content-Encoding",
    "HTTP_DATE": "Date",
    "HTTP_DIGEST": "Digest",
    "HTTP_SIGNATURE": "Signature",
    "HTTP_USER_AGENT": "User-Agent",
    "HTTP_X_SIGNATURE": "X-Signature",
}

#: What of a service's answer reaches the client.
ANSWER_HEADERS: Final = {
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

_PATH_SAFE: Final = "/!$&'()*+,;=:@~"
_QUERY_SAFE: Final = "/!$&'()*+,;=:@~?%[]"


def forward(call: Call, extra: Mapping[str, str] | None = None) -> Answer:
    """The owning service's answer; raises ServiceUnavailable when there is none, or when too much is under way."""
    context = context_of(Context)
    return _send(context, call, _body(context), extra or {})


def forward_guest(call: Call) -> Answer:
    """The same for who has no session: the service is told the client's address."""
    return forward(call, {"X-Client-Address": _address()})


def forward_notification(call: Call) -> Answer:
    """A bank's notification, with what a signature may be in and the address that it came from."""
    return forward(call, {**_present(BANK_HEADERS), "X-Client-Address": _address()})


def forward_for_session(call: Call) -> Answer:
    """A request that ends sessions: when it has succeeded, none of them is good for anything at any service.

    See ``repository`` for how. Raises CacheDown, and has done nothing, when Redis does not answer.
    """
    if call.user_id is None or call.session_hash is None:
        raise TypeError("only a user has sessions to end")
    context = context_of(Context)
    body = _body(context)
    started = monotonic()
    context.cache.raise_barrier(call.user_id)
    response = _send(context, call, body, {"X-Session-Hash": call.session_hash})
    if monotonic() - started > GRACE_SECONDS:
        raise ServiceUnavailable  # it was done too late for the barrier; done again, it will be in time
    return response


def _send(context: Context, call: Call, body: bytes | None, extra: Mapping[str, str]) -> Answer:
    headers = {
        "Authorization": f"Bearer {context.tokens.issue(call.service, call.user_id)}",
        "X-Request-ID": current().request_id,
        **_present(REQUEST_HEADERS),
        **extra,
    }
    with _place(context.password_places) if call.rate is Rate.PASSWORD else nullcontext():
        answer = context.services[call.service].request(_method(), _target(), headers=headers, body=body)
    return _response(answer)


def _body(context: Context) -> bytes | None:
    """The whole body; raises as ``read_body``.

    The server waits for a slow body for as long as its client likes. Such clients must not get all threads.
    """
    if _method() in ("GET", "HEAD"):
        return None
    with _place(context.body_places):
        return read_body()


@contextmanager
def _place(places: BoundedSemaphore) -> Iterator[None]:
    if not places.acquire(blocking=False):
        raise ServiceUnavailable
    try:
        yield
    finally:
        places.release()


def _method() -> str:
    return str(current().environ["REQUEST_METHOD"])


def _target() -> str:
    """Path and query as they came, in the one spelling that HTTP allows.

    WSGI gives the path decoded, as Latin-1 (PEP 3333), and the query as it was sent.
    """
    environ = current().environ
    path = quote(environ["PATH_INFO"].encode("latin-1"), safe=_PATH_SAFE)
    query = environ["QUERY_STRING"].encode("latin-1")
    return f"{path}?{quote(query, safe=_QUERY_SAFE)}" if query else path


def _address() -> str:
    return client_address(current().environ, context_of(Context).settings.trusted_proxies)


def _present(names: Mapping[str, str]) -> dict[str, str]:
    environ = current().environ
    return {name: environ[key] for key, name in names.items() if key in environ}


def _response(answer: HttpAnswer) -> Answer:
    headers = {name: answer.headers[key] for key, name in ANSWER_HEADERS.items() if key in answer.headers}
    # Whatever is said to one person is nobody else's, and old a moment later.
    headers.setdefault("Cache-Control", "no-store")
    return Answer(answer.status, answer.body, headers)
