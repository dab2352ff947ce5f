"""The session in the ``Authorization`` header: ``{"sessionID": "<32 upper-case hex digits>"}`` or ``Bearer <...>``."""

import hashlib
import json
import re
from typing import Final

from common.core.errors import NotAuthorized

_SESSION_ID: Final = re.compile("[0-9A-F]{32}")
_BEARER: Final = "Bearer "

#: Longer than any valid header; avoids parsing deeply nested JSON.
_MAX_LENGTH: Final = 256


def session_hash_of(authorization: str | None) -> str:
    """Return the SHA-256 of the session id in the header, in lower-case hex; raises NotAuthorized.

    Only the hash is passed on: the session id itself is neither sent to a service nor logged.
    """
    if authorization is None or len(authorization) > _MAX_LENGTH:
        raise NotAuthorized
    value = authorization[len(_BEARER) :] if authorization.startswith(_BEARER) else _only_session_id(authorization)
    if not isinstance(value, str) or not _SESSION_ID.fullmatch(value):
        raise NotAuthorized
    return hashlib.sha256(value.encode()).hexdigest()


def _only_session_id(text: str) -> object:
    """Return the value of ``sessionID`` if it is the only member of a JSON object, else None."""
    try:
        pairs = json.loads(text, object_pairs_hook=list)
    except ValueError:
        return None
    # Pairs are tuples, which distinguishes an object from an array of arrays.
    if not isinstance(pairs, list) or len(pairs) != 1 or not isinstance(pairs[0], tuple):
        return None
    name, value = pairs[0]
    return value if name == "sessionID" else None
