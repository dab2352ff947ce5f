"""Signatures, verified by the official library, and the encryption of secrets."""

import base64
import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet
from standardwebhooks import Webhook, WebhookVerificationError

from services.webhooks.signing import SecretUnreadable, SecretVault, new_secret, signed_headers

BODY = json.dumps({"type": "check.accepted", "data": {"note": "На обед"}}, ensure_ascii=False).encode()


def headers(*secrets: str, at: datetime | None = None) -> dict[str, str]:
    return signed_headers(secrets, "msg_1", at or datetime.now(UTC), BODY)


def test_secret_is_random_and_of_the_specified_form() -> None:
    secret = new_secret()
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    assert new_secret() != secret


def test_example_of_the_specification() -> None:
    at = datetime.fromtimestamp(1_614_265_330, UTC)
    signed = signed_headers(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], "msg_p5jXN8AQM9LWM0D4loKWxJek", at, b'{"test": 2432232314}'
    )
    assert signed["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signed["webhook-timestamp"] == "1614265330"


def test_official_library_accepts_the_signature() -> None:
    secret = new_secret()
    assert Webhook(secret).verify(BODY, headers(secret)) == json.loads(BODY)


def test_both_secrets_of_an_overlap_verify() -> None:
    old, new = new_secret(), new_secret()
    signed = headers(new, old)
    for secret in (old, new):
        assert Webhook(secret).verify(BODY, signed) == json.loads(BODY)


@pytest.mark.parametrize("changed", ["webhook-id", "webhook-timestamp", "webhook-signature", "body", "secret"])
def test_official_library_rejects_any_change(changed: str) -> None:
    secret = new_secret()
    signed, body = headers(secret), BODY
    if changed == "body":
        body = BODY.replace(b"accepted", b"expired")
    elif changed == "secret":
        secret = new_secret()
    else:
        signed[changed] = {"webhook-timestamp": str(int(signed["webhook-timestamp"]) + 1)}.get(changed, "v1,AAAA")
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, signed)


def test_official_library_rejects_an_old_timestamp() -> None:
    secret = new_secret()
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY, headers(secret, at=datetime.now(UTC) - timedelta(minutes=10)))


def test_secret_is_stored_encrypted_and_for_its_webhook_only() -> None:
    vault, webhook_id, secret = SecretVault(Fernet.generate_key().decode()), uuid4(), new_secret()
    sealed = vault.seal(webhook_id, secret)
    assert secret.encode() not in sealed
    assert vault.open(webhook_id, sealed) == secret
    with pytest.raises(SecretUnreadable):
        vault.open(uuid4(), sealed)


def test_older_keys_decrypt_and_foreign_keys_do_not() -> None:
    old, new, webhook_id = Fernet.generate_key().decode(), Fernet.generate_key().decode(), uuid4()
    sealed = SecretVault(old).seal(webhook_id, "whsec_x")
    assert SecretVault(f"{new}, {old}").open(webhook_id, sealed) == "whsec_x"
    with pytest.raises(SecretUnreadable):
        SecretVault(new).open(webhook_id, sealed)


@pytest.mark.parametrize("keys", ["", ",", "short"])
def test_malformed_keys_are_rejected(keys: str) -> None:
    with pytest.raises(ValueError):
        SecretVault(keys)
