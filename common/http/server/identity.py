"""Authentication of callers by short-lived signed tokens (JWT, EdDSA; RFC 7519, RFC 8037).

A token names the calling service, and the user if the gateway issued it for one. Each caller has its own private key
and every service knows the public keys, so that a compromised service cannot impersonate another.
"""

import base64
import time
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from common.core.errors import NotAuthorized

ALGORITHM: Final = "EdDSA"
TOKEN_LIFETIME_SECONDS: Final = 60
#: Maximum difference between the clocks of two machines.
CLOCK_SKEW_SECONDS: Final = 10
#: A cached token is replaced when less than this remains of its lifetime.
RENEW_BEFORE_SECONDS: Final = 20
CACHE_SIZE: Final = 20_000


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller: a service, and the user on whose behalf it calls, if any."""

    service: str
    user_id: UUID | None


class _ExpiringCache:
    """A bounded map of entries with an expiration time. A full map is cleared."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: dict[Any, tuple[float, Any]] = {}
        self._lock = Lock()

    def get(self, key: Any) -> Any:
        entry = self._entries.get(key)
        return entry[1] if entry is not None and entry[0] > time.time() else None

    def put(self, key: Any, value: Any, expires_at: float) -> None:
        with self._lock:
            if len(self._entries) >= self._size:
                self._entries.clear()
            self._entries[key] = (expires_at, value)


class TokenIssuer:
    """Issues tokens of one service. Signing is expensive, so tokens are cached."""

    def __init__(self, service: str, private_key: str) -> None:
        """``private_key``: base64 of the 32 raw bytes of an Ed25519 private key; ValueError if it is not one."""
        self._service = service
        self._key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(private_key))
        self._cache = _ExpiringCache(CACHE_SIZE)

    def issue(self, audience: str, user_id: UUID | None = None) -> str:
        """Return a token for calling ``audience``, on behalf of ``user_id`` if given."""
        cached: str | None = self._cache.get((audience, user_id))
        if cached is not None:
            return cached
        expires = time.time() + TOKEN_LIFETIME_SECONDS
        claims: dict[str, Any] = {"iss": self._service, "aud": audience, "exp": int(expires)}
        if user_id is not None:
            claims["sub"] = str(user_id)
        token = jwt.encode(claims, self._key, algorithm=ALGORITHM)
        self._cache.put((audience, user_id), token, expires - RENEW_BEFORE_SECONDS)
        return token


class TokenVerifier:
    """Verifies tokens that are addressed to one service."""

    def __init__(self, audience: str, public_keys: Mapping[str, str]) -> None:
        """``public_keys``: issuer -> base64 of 32 raw bytes; ValueError if one is malformed."""
        self._audience = audience
        self._keys = {
            issuer: Ed25519PublicKey.from_public_bytes(base64.b64decode(key)) for issuer, key in public_keys.items()
        }
        self._cache = _ExpiringCache(CACHE_SIZE)

    def verify(self, authorization: str | None) -> Caller:
        """Return the caller that an ``Authorization: Bearer`` header authenticates; raises NotAuthorized."""
        if authorization is None or not authorization.startswith("Bearer "):
            raise NotAuthorized
        token = authorization[7:]
        cached: Caller | None = self._cache.get(token)
        if cached is not None:
            return cached
        try:
            issuer = str(jwt.decode(token, options={"verify_signature": False})["iss"])
            claims = jwt.decode(
                token,
                self._keys[issuer],
                algorithms=[ALGORITHM],
                audience=self._audience,
                issuer=issuer,
                options={"require": ["exp", "iss", "aud"]},
            )
            # A token of a longer life than ours is of no issuer of ours, or of a compromised one.
            if float(claims["exp"]) > time.time() + TOKEN_LIFETIME_SECONDS + CLOCK_SKEW_SECONDS:
                raise NotAuthorized
            caller = Caller(issuer, UUID(claims["sub"]) if "sub" in claims else None)
        except (jwt.InvalidTokenError, KeyError, ValueError, TypeError):
            raise NotAuthorized from None
        self._cache.put(token, caller, float(claims["exp"]))
        return caller
