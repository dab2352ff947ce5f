"""Conditional reads (RFC 9110, 13): a client that polls sends the ``ETag`` that it has and gets 304 without a body.

The tag is a hash of the response, so the owning service does the same work; what is saved is the transfer. Responses
stay ``no-store``: the tag is for clients that hold a response themselves, not for caches.
"""

import hashlib
from typing import Final

from werkzeug.http import parse_etags

from common.http.server.request import Request
from common.http.server.response import Response

_TAG_BYTES: Final = 12


def conditional(request: Request, response: Response) -> Response:
    """Add an ``ETag`` to a successful read; return 304 if ``If-None-Match`` has it."""
    environ = request.environ
    if response.status != 200 or environ["REQUEST_METHOD"] != "GET":
        return response
    tag = hashlib.blake2b(response.body, digest_size=_TAG_BYTES).hexdigest()
    response.headers["ETag"] = f'"{tag}"'
    wanted = environ.get("HTTP_IF_NONE_MATCH")
    if wanted is None or not parse_etags(wanted).contains_weak(tag):
        return response
    headers = {name: value for name, value in response.headers.items() if name in ("Cache-Control", "ETag")}
    return Response(304, headers=headers)
