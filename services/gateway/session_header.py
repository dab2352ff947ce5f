"""The session in the ``Authorization`` header: ``{"sessionID": "<32 upper-case hex digits>"}`` or ``Bearer <...>``."""

import hashlib
import json
import re
from typing import Final

from common.core.errors import NotAuthorized

_SESSION_ID: Final = re.compile("[0-9A-F]{32}")
_BEARER: Final = "Bearer "

#: No header that is right is longer, however it is spaced; JSON that is deeply nested is not worth parsing.
_MAX_LENGTH: Final = 256


def session_hash_of(authorization: str | None) -> str:
    """The SHA-256, in lower-case hex, of the session id that the header bears; raises NotAuthorized.

    From here on only the hash is passed on: the session id itself crosses no border and is in no log.
    """
    if authorization is None or len(authorization) > _MAX_LENGTH:
        raise NotAuthorized
    value = authorization[len(_BEARER) :] if authorization.startswith(_BEARER) else _only_session_id(authorization)
    if not isinstance(value, str) or not _SESSION_ID.fullmatch(value):
        raise NotAuthorized
    return hashlib.sha256(value.encode()).hexdigest()


def _only_session_id(text: str) -> object:
    """The value of ``sessionID`` in a JSON object that has nothing else in it, not even twice the same."""
    try:
        pairs = json.loads(text, object_pairs_hook=list)
    except ValueError:
        return None
    # Pairs are tuples, so this cannot be mistaken for an array of two strings in an array.
    if not isinstance(pairs, list) or len(pairs) != 1 or not isinstance(pairs[0], tuple):
        return None
    name, value = pairs[0]
    return value if name == "sessionID" else None
