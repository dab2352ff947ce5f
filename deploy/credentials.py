"""The secrets of one installation: random, and not replaced once they exist."""

import base64
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.services import AUDITOR, BUS, CALLERS, DATABASES, GATEWAY


@dataclass(frozen=True, slots=True)
class Credentials:
    """All secrets of one installation."""

    postgres_password: str
    #: Of the administrator of the Redis server.
    redis_password: str
    #: Of the users of the Redis server, by service.
    redis_passwords: dict[str, str]
    #: Of the runtime roles, by service, and of the auditor.
    role_passwords: dict[str, str]
    #: Of the migration roles, by service.
    owner_passwords: dict[str, str]
    token_keys: dict[str, str]
    code_keys: str
    webhook_keys: str
    tbank_terminal_key: str
    tbank_password: str
    yookassa_secret_key: str
    sber_password: str
    sber_callback_secret: str

    def public_keys(self) -> dict[str, str]:
        """Return the public key of each caller, with which services verify its tokens."""
        return {caller: public_key(private) for caller, private in self.token_keys.items()}


def public_key(private: str) -> str:
    """Return the public key of an Ed25519 private key, both raw and in base64."""
    key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(private))
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def generate() -> Credentials:
    """Return a new set of random secrets, stored nowhere."""
    return complete({})


def complete(stored: Mapping[str, Any]) -> Credentials:
    """Return the credentials whose fields are ``stored``, with a new random secret for each missing one."""
    values: dict[str, Any] = {
        "postgres_password": stored.get("postgres_password") or _password(),
        "redis_password": stored.get("redis_password") or _password(),
        "redis_passwords": _each((*BUS, GATEWAY), stored.get("redis_passwords"), _password),
        "role_passwords": _each((*DATABASES, AUDITOR), stored.get("role_passwords"), _password),
        "owner_passwords": _each(DATABASES, stored.get("owner_passwords"), _password),
        "token_keys": _each(CALLERS, stored.get("token_keys"), _private_key),
        "code_keys": stored.get("code_keys") or Fernet.generate_key().decode(),
        "webhook_keys": stored.get("webhook_keys") or Fernet.generate_key().decode(),
        "tbank_terminal_key": stored.get("tbank_terminal_key") or f"FastCheck{secrets.randbelow(10**8):08d}",
        "tbank_password": stored.get("tbank_password") or _password(),
        "yookassa_secret_key": stored.get("yookassa_secret_key") or f"test_{_password()}",
        "sber_password": stored.get("sber_password") or _password(),
        "sber_callback_secret": stored.get("sber_callback_secret") or _password(),
    }
    return Credentials(**values)


def _each(names: tuple[str, ...], stored: dict[str, str] | None, make: Callable[[], str]) -> dict[str, str]:
    return {name: (stored or {}).get(name) or make() for name in names}


def _password() -> str:
    return secrets.token_urlsafe(24)


def _private_key() -> str:
    return base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw()).decode()
