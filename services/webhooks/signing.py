"""Signatures of webhooks per the Standard Webhooks specification, and the encryption of their secrets.

Specification: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

SECRET_PREFIX: Final = "whsec_"  # noqa: S105  marks a secret and is none
SECRET_BYTES: Final = 32
_ID_BYTES: Final = 16


class SecretUnreadable(Exception):
    """No key decrypts this ciphertext, or it belongs to another webhook."""


class SecretVault:
    """Encrypts signing secrets with a list of keys (Fernet: AES-128-CBC and HMAC-SHA256).

    A ciphertext contains the id of its webhook, so that one copied to another row decrypts to nothing.
    """

    def __init__(self, keys: str) -> None:
        """``keys``: Fernet keys separated by commas, newest first. Raises ValueError if one is malformed."""
        self._fernet = MultiFernet([Fernet(key.strip()) for key in keys.split(",") if key.strip()])

    def seal(self, webhook_id: UUID, secret: str) -> bytes:
        """Encrypt the secret of a webhook with the newest key."""
        return self._fernet.encrypt(webhook_id.bytes + secret.encode())

    def open(self, webhook_id: UUID, ciphertext: bytes) -> str:
        """Decrypt the secret of this webhook; raises SecretUnreadable."""
        try:
            plain = self._fernet.decrypt(ciphertext)
        except InvalidToken:
            raise SecretUnreadable from None
        if plain[:_ID_BYTES] != webhook_id.bytes:
            raise SecretUnreadable
        return plain[_ID_BYTES:].decode()


def new_secret() -> str:
    """Return a new random secret, ``whsec_`` and base64."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signed_headers(webhook_secrets: Sequence[str], message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Return the headers of a delivery, with one signature per secret."""
    timestamp = str(int(at.timestamp()))
    content = b".".join((message_id.encode(), timestamp.encode(), body))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_signature(secret, content) for secret in webhook_secrets),
    }


def _signature(secret: str, content: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
