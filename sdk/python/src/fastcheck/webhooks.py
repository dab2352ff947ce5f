"""Authenticate the webhooks that FastCheck sends, which follow the Standard Webhooks specification."""

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

#: A timestamp further from the clock than this is rejected: a recorded request cannot be sent again later.
TOLERANCE_SECONDS: Final = 300
_PREFIX: Final = "whsec_"


class InvalidWebhook(Exception):
    """The request is not from FastCheck, or is too old. Respond with 400 and do nothing."""


@dataclass(frozen=True, slots=True)
class Event:
    """An authentic event. ``message_id`` is the same in every attempt to deliver it: store it to ignore repeats."""

    message_id: str
    type: str
    timestamp: str
    data: dict[str, Any]


def verify(secret: str, headers: Mapping[str, str], body: bytes, *, now: float | None = None) -> Event:
    """Return the event of a request; raise InvalidWebhook.

    ``secret`` is that of the webhook (``whsec_…``). ``body`` is the body as it was received, not parsed and written
    again. ``now`` is the current time in seconds since 1970.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, timestamp = lower["webhook-id"], lower["webhook-timestamp"]
        signatures = lower["webhook-signature"].split()
        sent_at = int(timestamp)
    except (KeyError, ValueError):
        raise InvalidWebhook("a header is missing or malformed") from None
    if abs((time.time() if now is None else now) - sent_at) > TOLERANCE_SECONDS:
        raise InvalidWebhook("the timestamp is too far from the clock of this machine")
    expected = _signature(secret, f"{message_id}.{timestamp}.".encode() + body)
    if not any(hmac.compare_digest(each.encode(), expected) for each in signatures):
        raise InvalidWebhook("no signature matches")
    content = json.loads(body)
    return Event(message_id, content["type"], content["timestamp"], content["data"])


def _signature(secret: str, content: bytes) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("the secret is not of the form whsec_<base64>") from None
    return b"v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256))
