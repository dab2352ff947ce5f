"""Devices in which users signed in before: a signed token in a cookie, one per user.

The token gives no access. It only exempts a sign-in of its user from the limits that other clients can use up. Source:
OWASP, "Slow Down Online Guessing Attacks with Device Cookies".
"""

import base64
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Final, Self
from uuid import UUID, uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_ALGORITHM: Final = "EdDSA"
#: No service accepts a token with this audience.
_AUDIENCE: Final = "device"
_ISSUER: Final = "gateway"
COOKIE_PREFIX: Final = "fastcheck_device_"
LIFETIME_SECONDS: Final = 180 * 24 * 3600
#: Maximum number of tokens that one request may prove: each costs a verification of a signature.
MAX_DEVICES: Final = 5
_MAX_HEADER_LENGTH: Final = 4096


@dataclass(frozen=True, slots=True)
class Device:
    """A browser or app in which the user signed in before."""

    user_id: UUID
    device_id: UUID

    @classmethod
    def new(cls, user_id: UUID) -> Self:
        """Return a device with a random id."""
        return cls(user_id, uuid4())


class DeviceTokens:
    """Issues and verifies the tokens of devices. All gateway processes share the key."""

    def __init__(self, private_key: str, *, secure: bool) -> None:
        """``private_key`` is the gateway's, as for ``TokenIssuer``; ``secure`` restricts the cookie to HTTPS."""
        self._key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(private_key))
        self._public_key = self._key.public_key()
        self._attributes = f"; Path=/; Max-Age={LIFETIME_SECONDS}; HttpOnly; SameSite=Strict" + "; Secure" * secure

    def cookie(self, device: Device) -> str:
        """Return the value of ``Set-Cookie`` by which a client proves this device at later sign-ins."""
        claims = {
            "iss": _ISSUER,
            "aud": _AUDIENCE,
            "sub": str(device.user_id),
            "jti": str(device.device_id),
            "exp": int(time.time()) + LIFETIME_SECONDS,
        }
        token = jwt.encode(claims, self._key, algorithm=_ALGORITHM)
        return f"{COOKIE_PREFIX}{str(device.user_id)[:8]}={token}{self._attributes}"

    def proven(self, cookies: str) -> tuple[Device, ...]:
        """Return the devices whose tokens are in a ``Cookie`` header; other and invalid cookies are ignored."""
        tokens = [value for name, value in _parsed(cookies).items() if name.startswith(COOKIE_PREFIX)]
        devices = (self._verified(token) for token in tokens[:MAX_DEVICES])
        return tuple(device for device in devices if device)

    def _verified(self, token: str) -> Device | None:
        try:
            claims = jwt.decode(
                token,
                self._public_key,
                algorithms=[_ALGORITHM],
                audience=_AUDIENCE,
                issuer=_ISSUER,
                options={"require": ["exp", "sub", "jti"]},
            )
            return Device(UUID(claims["sub"]), UUID(claims["jti"]))
        except (jwt.InvalidTokenError, ValueError):
            return None


def as_header(devices: Sequence[Device]) -> Mapping[str, str]:
    """Return the header that tells accounts which devices the client has proved to be."""
    if not devices:
        return {}
    return {"X-Known-Devices": ",".join(f"{device.user_id}/{device.device_id}" for device in devices)}


def _parsed(cookies: str) -> dict[str, str]:
    parsed = SimpleCookie()
    if len(cookies) > _MAX_HEADER_LENGTH:
        return {}
    try:
        parsed.load(cookies)
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in parsed.items()}
