"""Parse the JSON of a notification strictly: a message that could be read in two ways is not authentic."""

import json
from collections.abc import Callable
from typing import Any

from services.payments.banks.base import BadSignature


def parse_object(raw_body: bytes, *, parse_number: Callable[[str], Any] | None = None) -> dict[str, Any]:
    """Return the JSON object of a notification; ``parse_number`` converts the text of every number.

    Raises BadSignature for other JSON, for a name that occurs twice in one object, and for a lone surrogate
    (``\\ud800``): no UTF-8 text contains one, so that no signature over it can be computed.
    """
    try:
        fields = json.loads(
            raw_body,
            object_pairs_hook=_object,
            parse_int=parse_number,
            parse_float=parse_number,
            parse_constant=parse_number,
        )
        json.dumps(fields, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise BadSignature("the notification is not an unambiguous JSON object")
    return fields


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a name is repeated")
    return fields
