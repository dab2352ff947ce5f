"""Rules of HTTP that the server leaves to the application."""

from typing import TYPE_CHECKING

from common.core.errors import InvalidRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


def require_one_host(environ: "WSGIEnvironment") -> None:
    """Raise InvalidRequest for an HTTP/1.1 request without exactly one ``Host`` (RFC 9112, section 3.2).

    The server passes a missing header as empty text, and several joined with commas.
    """
    host = environ.get("HTTP_HOST", "")
    if environ.get("SERVER_PROTOCOL") == "HTTP/1.1" and (not host or "," in host):
        raise InvalidRequest("an HTTP/1.1 request must have exactly one Host header")
