"""Read the body of a request, bounded in size."""

from werkzeug.exceptions import ClientDisconnected, LengthRequired, RequestEntityTooLarge

from common.http.server.request import Request


def read_body(request: Request) -> bytes:
    """Return the request body; empty if the request announces none.

    Raises LengthRequired for a body without a ``Content-Length``, RequestEntityTooLarge, and ClientDisconnected if the
    body is incomplete.
    """
    environ = request.environ
    if "HTTP_TRANSFER_ENCODING" in environ:
        # The server reports a chunked body that is malformed or truncated as if it had ended: only a declared length
        # tells whether a body is complete.
        raise LengthRequired
    declared = environ.get("CONTENT_LENGTH", "")
    return _read_exactly(request, int(declared), request.max_body_bytes) if declared.isdecimal() else b""


def _read_exactly(request: Request, length: int, limit: int) -> bytes:
    if length > limit:
        raise RequestEntityTooLarge
    stream = request.environ["wsgi.input"]
    body: bytes = stream.read(length)
    while len(body) < length:
        more = stream.read(length - len(body))
        if not more:
            raise ClientDisconnected
        body += more
    return body
