"""HTTP in: the body of a request, whole and bounded."""

from typing import Final

from flask import request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

#: No request of the public API needs more. A route that takes more says so in ``request.max_content_length``.
MAX_BODY_BYTES: Final = 64 * 1024


def read_body() -> bytes:
    """The bytes of the body; raises RequestEntityTooLarge, or ClientDisconnected if it breaks off.

    A body that tells its length, as nearly all do, is read as it is: werkzeug's stream for all cases is half of what
    it costs to hand a small request on.
    """
    limit = request.max_content_length or MAX_BODY_BYTES
    told = request.environ.get("CONTENT_LENGTH", "")
    if told.isdecimal():
        return _exactly(int(told), limit)
    # One byte more is read than is allowed: of a body that does not tell its length, werkzeug gives the part within
    # the limit and says nothing of the rest.
    request.max_content_length = limit + 1
    body = request.get_data(cache=False)
    if len(body) > limit:
        raise RequestEntityTooLarge
    return body


def _exactly(length: int, limit: int) -> bytes:
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
