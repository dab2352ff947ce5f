"""The secrets of one system: made at random once, kept in its data folder, the same after every restart."""

import base64
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.services import AUDITOR, CALLERS, DATABASES
from launcher.data_dir import DataDir

FILE: Final = "credentials.json"


@dataclass(frozen=True, slots=True)
class Credentials:
    """All secrets, by what they open."""

    postgres_password: str
    redis_password: str
    role_passwords: dict[str, str]
    token_keys: dict[str, str]
    code_keys: str
    tbank_terminal_key: str
    tbank_password: str
    yookassa_secret_key: str
    sber_password: str
    sber_callback_secret: str

    def public_keys(self) -> dict[str, str]:
        """What everybody may know: with it a service checks who calls it."""
        return {caller: public_key(private) for caller, private in self.token_keys.items()}


def public_key(private: str) -> str:
    """The base64 raw public half of a base64 raw Ed25519 private key."""
    key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(private))
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def load_or_create(data_dir: DataDir) -> Credentials:
    """Read the secrets; make the ones that are missing, and never change one that is there."""
    stored = data_dir.read_json(FILE) or {}
    complete = _completed(stored)
    if complete != stored:
        data_dir.write_json(FILE, complete)
    return Credentials(**complete)


def load(data_dir: DataDir) -> Credentials | None:
    """The secrets of a system that has been started before."""
    stored = data_dir.read_json(FILE)
    return Credentials(**_completed(stored)) if stored else None


def generate() -> Credentials:
    """A new set, kept nowhere."""
    return Credentials(**_completed({}))


def _completed(stored: dict[str, Any]) -> dict[str, Any]:
    return {
        "postgres_password": stored.get("postgres_password") or _password(),
        "redis_password": stored.get("redis_password") or _password(),
        "role_passwords": _each((*DATABASES, AUDITOR), stored.get("role_passwords"), _password),
        "token_keys": _each(CALLERS, stored.get("token_keys"), _private_key),
        "code_keys": stored.get("code_keys") or Fernet.generate_key().decode(),
        "tbank_terminal_key": stored.get("tbank_terminal_key") or f"FastCheck{secrets.randbelow(10**8):08d}",
        "tbank_password": stored.get("tbank_password") or _password(),
        "yookassa_secret_key": stored.get("yookassa_secret_key") or f"test_{_password()}",
        "sber_password": stored.get("sber_password") or _password(),
        "sber_callback_secret": stored.get("sber_callback_secret") or _password(),
    }


def _each(names: tuple[str, ...], stored: dict[str, str] | None, make: Callable[[], str]) -> dict[str, str]:
    return {name: (stored or {}).get(name) or make() for name in names}


def _password() -> str:
    return secrets.token_urlsafe(24)


def _private_key() -> str:
    return base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw()).decode()
