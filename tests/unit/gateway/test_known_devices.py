"""Tokens of devices in which users signed in before."""

import time
from uuid import UUID, uuid4

import jwt
import pytest

from common.core.errors import NotAuthorized
from common.http.server.identity import TokenIssuer, TokenVerifier
from deploy import credentials
from services.gateway.known_devices import LIFETIME_SECONDS, MAX_DEVICES, Device, DeviceTokens, as_header

KEYS = credentials.generate()
KEY = KEYS.token_keys["gateway"]
DEVICE = Device(UUID(int=1), UUID(int=2))


def sent(set_cookie: str) -> str:
    """Return the Cookie header of a client that received this Set-Cookie."""
    return set_cookie.split(";", maxsplit=1)[0]


def test_device_is_proven_by_its_cookie() -> None:
    tokens = DeviceTokens(KEY, secure=True)
    assert tokens.proven(f"theme=dark; {sent(tokens.cookie(DEVICE))}; x=1") == (DEVICE,)
    assert as_header((DEVICE,)) == {"X-Known-Devices": f"{DEVICE.user_id}/{DEVICE.device_id}"}


def test_cookie_is_for_this_site_alone_and_no_script_reads_it() -> None:
    name_and_value, *attributes = DeviceTokens(KEY, secure=True).cookie(DEVICE).split("; ")
    assert name_and_value.startswith("fastcheck_device_00000000=")
    assert attributes == ["Path=/", f"Max-Age={LIFETIME_SECONDS}", "HttpOnly", "SameSite=Strict", "Secure"]
    assert "Secure" not in DeviceTokens(KEY, secure=False).cookie(DEVICE)


def test_cookies_of_several_users_are_proven() -> None:
    tokens = DeviceTokens(KEY, secure=False)
    devices = [Device.new(uuid4()) for _ in range(MAX_DEVICES + 1)]
    assert tokens.proven("; ".join(sent(tokens.cookie(each)) for each in devices)) == tuple(devices[:MAX_DEVICES])


@pytest.mark.parametrize(
    "cookies",
    ["", "fastcheck_device_1=", "fastcheck_device_1=a.b.c", "=;;=", "fastcheck_device_1=" + "a" * 9000, "\x00=\xff"],
)
def test_other_cookies_prove_nothing(cookies: str) -> None:
    assert DeviceTokens(KEY, secure=False).proven(cookies) == ()


def test_token_of_another_key_proves_nothing() -> None:
    other = DeviceTokens(KEYS.token_keys["checks"], secure=False)
    assert DeviceTokens(KEY, secure=False).proven(sent(other.cookie(DEVICE))) == ()


def test_expired_token_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = DeviceTokens(KEY, secure=False)
    now = time.time()
    with monkeypatch.context() as patch:
        patch.setattr("services.gateway.known_devices.time.time", lambda: now - LIFETIME_SECONDS - 10)
        old = tokens.cookie(DEVICE)
    assert tokens.proven(sent(old)) == ()


def test_device_token_is_no_service_token_and_the_reverse() -> None:
    tokens = DeviceTokens(KEY, secure=False)
    token = sent(tokens.cookie(DEVICE)).partition("=")[2]
    for audience in ("accounts", "balance", "device"):
        with pytest.raises(NotAuthorized):
            TokenVerifier(audience, KEYS.public_keys()).verify(f"Bearer {token}")
    for audience in ("accounts", "device"):
        issued = TokenIssuer("gateway", KEY).issue(audience, DEVICE.user_id)
        assert tokens.proven(f"fastcheck_device_1={issued}") == ()


def test_unsigned_token_proves_nothing() -> None:
    claims = {"iss": "gateway", "aud": "device", "sub": str(DEVICE.user_id), "jti": str(uuid4()), "exp": 2**33}
    token = jwt.encode(claims, "", "none")
    assert DeviceTokens(KEY, secure=False).proven(f"fastcheck_device_1={token}") == ()
