"""Service tokens: signature, audience and expiry."""

import base64
import time
from typing import Any
from uuid import uuid4

import jwt
import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common.core.errors import NotAuthorized
from common.http.server import identity
from common.http.server.identity import (
    CLOCK_SKEW_SECONDS,
    RENEW_BEFORE_SECONDS,
    TOKEN_LIFETIME_SECONDS,
    Caller,
    TokenIssuer,
    TokenVerifier,
)


def _pair() -> tuple[str, str]:
    key = Ed25519PrivateKey.generate()
    return (
        base64.b64encode(key.private_bytes_raw()).decode(),
        base64.b64encode(key.public_key().public_bytes_raw()).decode(),
    )


GATEWAY, GATEWAY_PUBLIC = _pair()
CHECKS, CHECKS_PUBLIC = _pair()


@pytest.fixture
def verifier() -> TokenVerifier:
    return TokenVerifier("balance", {"gateway": GATEWAY_PUBLIC, "checks": CHECKS_PUBLIC})


def test_token_carries_the_caller_and_the_user(verifier: TokenVerifier) -> None:
    user = uuid4()
    issuer = TokenIssuer("gateway", GATEWAY)
    assert verifier.verify(f"Bearer {issuer.issue('balance', user)}") == Caller("gateway", user)
    assert verifier.verify(f"Bearer {issuer.issue('balance')}") == Caller("gateway", None)


def test_token_for_another_service_is_rejected(verifier: TokenVerifier) -> None:
    with pytest.raises(NotAuthorized):
        verifier.verify(f"Bearer {TokenIssuer('gateway', GATEWAY).issue('checks')}")


def test_token_signed_with_the_key_of_another_service_is_rejected(verifier: TokenVerifier) -> None:
    with pytest.raises(NotAuthorized):
        verifier.verify(f"Bearer {TokenIssuer('gateway', CHECKS).issue('balance', uuid4())}")


def test_unknown_issuer_is_rejected(verifier: TokenVerifier) -> None:
    with pytest.raises(NotAuthorized):
        verifier.verify(f"Bearer {TokenIssuer('unknown', CHECKS).issue('balance')}")


def test_cached_token_expires(verifier: TokenVerifier) -> None:
    with time_machine.travel("2026-01-19T09:08:18Z", tick=False) as traveller:
        token = f"Bearer {TokenIssuer('gateway', GATEWAY).issue('balance')}"
        verifier.verify(token)
        traveller.shift(TOKEN_LIFETIME_SECONDS + 1)
        with pytest.raises(NotAuthorized):
            verifier.verify(token)


def test_issuer_renews_its_token_before_it_expires(verifier: TokenVerifier) -> None:
    issuer = TokenIssuer("gateway", GATEWAY)
    with time_machine.travel("2026-01-19T09:08:18Z", tick=False) as traveller:
        for _ in range(20):
            verifier.verify(f"Bearer {issuer.issue('balance')}")
            traveller.shift(TOKEN_LIFETIME_SECONDS / 7)


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Bearer a.b.c", "Basic x", "Bearer " + "x" * 5000])
def test_malformed_header_is_rejected(verifier: TokenVerifier, header: str | None) -> None:
    with pytest.raises(NotAuthorized):
        verifier.verify(header)


def test_unsigned_token_is_rejected(verifier: TokenVerifier) -> None:
    token = jwt.encode(
        {"iss": "gateway", "aud": "balance", "exp": int(time.time()) + 30, "sub": str(uuid4())}, "", algorithm="none"
    )
    with pytest.raises(NotAuthorized):
        verifier.verify(f"Bearer {token}")


def test_token_signed_with_the_public_key_as_a_secret_is_rejected(verifier: TokenVerifier) -> None:
    claims = {"iss": "gateway", "aud": "balance", "exp": int(time.time()) + 30, "sub": str(uuid4())}
    token = jwt.encode(claims, GATEWAY_PUBLIC, algorithm="HS256")
    with pytest.raises(NotAuthorized):
        verifier.verify(f"Bearer {token}")


def _signed(claims: dict[str, Any]) -> str:
    key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(GATEWAY))
    return f"Bearer {jwt.encode(claims, key, algorithm=identity.ALGORITHM)}"


@pytest.mark.parametrize("missing", ["exp", "iss", "aud"])
def test_a_token_without_a_required_claim_is_refused(verifier: TokenVerifier, missing: str) -> None:
    claims = {"iss": "gateway", "aud": "balance", "exp": int(time.time()) + 60}
    assert verifier.verify(_signed(claims)) == Caller("gateway", None)
    with pytest.raises(NotAuthorized):
        verifier.verify(_signed({name: value for name, value in claims.items() if name != missing}))


def test_an_issuer_signs_once_per_audience_and_user_until_renewal() -> None:
    issuer, user = TokenIssuer("gateway", GATEWAY), uuid4()
    with time_machine.travel("2026-01-19T09:08:18Z", tick=False) as traveller:
        first = issuer.issue("balance", user)
        others = {issuer.issue("checks", user), issuer.issue("balance", uuid4()), issuer.issue("balance")}
        assert len(others | {first}) == 4
        traveller.shift(TOKEN_LIFETIME_SECONDS - RENEW_BEFORE_SECONDS - 1)
        assert issuer.issue("balance", user) is first
        traveller.shift(1)
        renewed = issuer.issue("balance", user)
        assert renewed != first
        assert jwt.decode(renewed, options={"verify_signature": False})["exp"] == int(time.time()) + 60


def test_a_verified_token_is_not_verified_again(verifier: TokenVerifier) -> None:
    token = f"Bearer {TokenIssuer('gateway', GATEWAY).issue('balance', uuid4())}"
    assert verifier.verify(token) is verifier.verify(token)


def test_a_full_cache_is_cleared_and_never_exceeds_its_size() -> None:
    cache = identity._ExpiringCache(2)
    expires_at = time.time() + 60
    cache.put("a", 1, expires_at)
    cache.put("b", 2, expires_at)
    assert (cache.get("a"), cache.get("b")) == (1, 2)
    cache.put("c", 3, expires_at)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (None, None, 3)


def test_a_cached_entry_ends_with_its_expiration() -> None:
    cache = identity._ExpiringCache(2)
    with time_machine.travel("2026-01-19T09:08:18Z", tick=False):
        cache.put("a", 1, time.time())
        cache.put("b", 2, time.time() + 0.001)
        assert (cache.get("a"), cache.get("b")) == (None, 2)


@pytest.mark.parametrize("lifetime_seconds", [TOKEN_LIFETIME_SECONDS + CLOCK_SKEW_SECONDS + 5, 10 * 365 * 86_400])
def test_validly_signed_token_is_rejected_if_it_lives_longer_than_allowed(
    verifier: TokenVerifier, lifetime_seconds: int
) -> None:
    """A key that was stolen for a moment must not yield tokens for later."""
    now = int(time.time())
    accepted = _signed({"iss": "gateway", "aud": "balance", "exp": now + TOKEN_LIFETIME_SECONDS})
    assert verifier.verify(accepted) == Caller("gateway", None)
    with pytest.raises(NotAuthorized):
        verifier.verify(_signed({"iss": "gateway", "aud": "balance", "exp": now + lifetime_seconds}))
