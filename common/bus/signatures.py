"""Signatures of messages on the bus (Ed25519, RFC 8032): one per message, whatever the number of its events.

A service signs with the key that signs its calls, and verifies with the public keys that verify tokens. The signed text
begins with a context that no token has, so that neither can stand in for the other. It names the kind of the message,
its sender and its receiver, so that a message is worth nothing in another queue.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from prometheus_client import Counter

from common import log_events
from common.contracts.events import PUBLISHERS, SUBSCRIBERS
from common.core.logging import get_logger

log = get_logger(__name__)

_CONTEXT: Final = b"fastcheck bus message v1\n"

REJECTED_MESSAGES: Final = Counter(
    "fastcheck_bus_messages_rejected",
    "Messages on the bus that had no effect because of their sender or their signature",
    ("receiver", "reason"),
)


class Kind(StrEnum):
    """What a message carries."""

    EVENTS = "events"
    ACKNOWLEDGEMENTS = "acknowledgements"


class Reason(StrEnum):
    """Why a message is rejected."""

    MALFORMED = "malformed"
    UNSIGNED = "unsigned"
    UNKNOWN_SENDER = "unknown_sender"
    WRONG_SIGNATURE = "wrong_signature"
    NOT_ALLOWED = "not_allowed"


class MessageKeys:
    """The private key of one service on the bus and the public keys of all."""

    def __init__(self, service: str, private_key: str, public_keys: Mapping[str, str]) -> None:
        """Keys are base64 of 32 raw bytes; ValueError if one is malformed."""
        self.service = service
        self._private = Ed25519PrivateKey.from_private_bytes(base64.b64decode(private_key))
        self._public = {
            name: Ed25519PublicKey.from_public_bytes(base64.b64decode(key)) for name, key in public_keys.items()
        }

    def sign(self, kind: Kind, receiver: str, content: Sequence[Any]) -> str:
        """Return the signature of a message to ``receiver``, in base64."""
        return base64.b64encode(self._private.sign(_signed_text(kind, self.service, receiver, content))).decode()

    def accepts(self, kind: Kind, sender: object, content: object, signature: object) -> bool:
        """Return whether a received message may take effect. A rejected one is counted and logged."""
        reason = self._reason_to_reject(kind, sender, content, signature)
        if reason is None:
            return True
        REJECTED_MESSAGES.labels(self.service, reason).inc()
        log.error(
            log_events.MESSAGE_REJECTED,
            kind=kind,
            sender=str(sender)[:50],
            reason=reason,
            items=len(content) if isinstance(content, list) else None,
        )
        return False

    def _reason_to_reject(self, kind: Kind, sender: object, content: object, signature: object) -> Reason | None:
        if signature is None:
            return Reason.UNSIGNED
        if not (isinstance(sender, str) and isinstance(content, list) and isinstance(signature, str)):
            return Reason.MALFORMED
        public_key = self._public.get(sender)
        if public_key is None:
            return Reason.UNKNOWN_SENDER
        try:
            text = _signed_text(kind, sender, self.service, content)
            public_key.verify(base64.b64decode(signature, validate=True), text)
        except InvalidSignature:
            return Reason.WRONG_SIGNATURE
        except ValueError:  # neither base64 nor JSON
            return Reason.MALFORMED
        may_send = may_publish(sender, content) if kind is Kind.EVENTS else may_acknowledge(sender, self.service)
        return None if may_send else Reason.NOT_ALLOWED


def may_publish(sender: str, events: Sequence[Any]) -> bool:
    """Return whether ``sender`` publishes the types of all these events.

    A type that this version does not know has no handler, so it has no effect; the inbox parks it for an operator.
    """
    types = [event.get("type") if isinstance(event, dict) else None for event in events]
    return all(isinstance(name, str) and PUBLISHERS.get(name, sender) == sender for name in types)


def may_acknowledge(sender: str, publisher: str) -> bool:
    """Return whether ``sender`` subscribes to an event that ``publisher`` publishes."""
    return any(sender in SUBSCRIBERS[name] for name, source in PUBLISHERS.items() if source == publisher)


def _signed_text(kind: Kind, sender: str, receiver: str, content: Sequence[Any]) -> bytes:
    # The broker carries JSON, whose text may differ after each serialization; this one is the same for equal content.
    text = json.dumps([kind, sender, receiver, content], sort_keys=True, separators=(",", ":"), allow_nan=False)
    return _CONTEXT + text.encode()
