"""HTTP in: the body of a request, whole and bounded."""

from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.wsgi import get_input_stream

from common.http.server.exchange import current


def read_body() -> bytes:
    """The bytes of the body; raises RequestEntityTooLarge, or ClientDisconnected if it breaks off.

    A body that tells its length, as nearly all do, is read as it is: werkzeug's stream for all cases is half of what
    it costs to hand a small request on.
    """
    exchange = current()
    limit = exchange.max_body_bytes
    told = exchange.environ.get("CONTENT_LENGTH", "")
    if told.isdecimal():
        return _exactly(int(told), limit)
    # One byte more is read than is allowed: of a body that does not tell its length, werkzeug gives the part within
    # the limit and says nothing of the rest.
    body = get_input_stream(exchange.environ, max_content_length=limit + 1).read()
    if len(body) > limit:
        raise RequestEntityTooLarge
    return body


def _exactly(length: int, limit: int) -> bytes:
    if length > limit:
        raise RequestEntityTooLarge
    stream = current().environ["wsgi.input"]
    body: bytes = stream.read(length)
    while len(body) < length:
        more = stream.read(length - len(body))
        if not more:
            raise ClientDisconnected
        body += more
    return body
