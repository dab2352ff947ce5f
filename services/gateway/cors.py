"""Cross-origin requests (the CORS protocol of the Fetch standard): which web sites may call the API from a browser.

The session is in a header that a site must set itself, never in a cookie, so ``Access-Control-Allow-Credentials`` is
never sent, and ``*`` gives a site nothing that any other program does not have. flask-cors adds its headers in Flask's
hooks, which would close the short path; this is a WSGI middleware around all routes.
"""

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: Any site.
ANY: Final = "*"

ALLOWED_METHODS: Final = "GET, POST, DELETE"
ALLOWED_HEADERS: Final = (
    "Authorization, Content-Type, Accept-Language, Idempotency-Key, If-None-Match, X-Request-ID, traceparent"
)
#: Response headers that scripts may read besides those that are always readable.
EXPOSED_HEADERS: Final = (
    "Content-Disposition, ETag, Idempotency-Replayed, RateLimit, RateLimit-Policy, Retry-After, X-Request-ID"
)
#: Time for which browsers cache a preflight; Chromium's maximum.
MAX_AGE_SECONDS: Final = 7200


def origin(value: str) -> str:
    """Return the origin as browsers send it, or ``*``; raises ValueError."""
    parts = urlsplit(value)
    if value == ANY:
        return value
    if parts.scheme not in ("http", "https") or not parts.netloc or value != f"{parts.scheme}://{parts.netloc}":
        raise ValueError(f"{value!r} is not an origin: write https://app.example, without a path, or *")
    return value.lower()


class Cors:
    """Adds the headers of the protocol to responses to allowed origins, and answers their preflights."""

    def __init__(self, app: "WSGIApplication", origins: Collection[str]) -> None:
        self._app = app
        self._origins = frozenset(origins)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Pass a request on; requests without ``Origin`` are unchanged."""
        asking = environ.get("HTTP_ORIGIN")
        if asking is None:
            return self._app(environ, start_response)
        allowed = ANY if ANY in self._origins else asking if asking in self._origins else None
        if allowed is None:
            return self._app(environ, _with_headers(start_response, [("Vary", "Origin")]))
        headers = [("Access-Control-Allow-Origin", allowed)]
        if allowed != ANY:
            headers.append(("Vary", "Origin"))
        if environ["REQUEST_METHOD"] == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ:
            return _preflight(headers, start_response)
        headers.append(("Access-Control-Expose-Headers", EXPOSED_HEADERS))
        return self._app(environ, _with_headers(start_response, headers))


def _preflight(headers: list[tuple[str, str]], start_response: "StartResponse") -> Iterable[bytes]:
    start_response(
        "204 No Content",
        [
            *headers,
            ("Access-Control-Allow-Methods", ALLOWED_METHODS),
            ("Access-Control-Allow-Headers", ALLOWED_HEADERS),
            ("Access-Control-Max-Age", str(MAX_AGE_SECONDS)),
        ],
    )
    return []


def _with_headers(start_response: "StartResponse", added: list[tuple[str, str]]) -> Any:
    """Return a ``start_response`` that adds headers; a view's own ``Access-Control-Allow-Origin`` has precedence."""

    def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        present = {name.lower() for name, _ in headers}
        new = [(name, value) for name, value in added if name == "Vary" or name.lower() not in present]
        return start_response(status, [*headers, *new], exc_info)

    return start
