"""Settings of webhooks that stop the start."""

from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr, ValidationError

from services.webhooks.config import WebhooksSettings


def settings(**changes: Any) -> WebhooksSettings:
    values: dict[str, Any] = {
        "webhooks_database_url": SecretStr("postgresql+psycopg2://x/x"),
        "webhooks_token_key": SecretStr("AAAA"),
        "webhook_keys": SecretStr(Fernet.generate_key().decode()),
        "checks_url": "http://127.0.0.1:1",
        "payments_url": "http://127.0.0.1:1",
        "broker_url": SecretStr("redis://127.0.0.1:1"),
        "token_public_keys": {},
        **changes,
    }
    return WebhooksSettings(**values)


def test_sandbox_may_allow_private_networks() -> None:
    found = settings(environment="sandbox", webhook_allowed_networks=("127.0.0.1", "10.0.0.0/8"))
    assert found.webhook_allowed_networks == ("127.0.0.1/32", "10.0.0.0/8")


def test_production_allows_no_private_network() -> None:
    assert settings(environment="production").webhook_allowed_networks == ()
    with pytest.raises(ValidationError, match="FASTCHECK_WEBHOOK_ALLOWED_NETWORKS"):
        settings(environment="production", webhook_allowed_networks=("127.0.0.0/8",))


@pytest.mark.parametrize("network", ["localhost", "127.0.0.1/8", "300.0.0.0/8"])
def test_network_must_be_one(network: str) -> None:
    with pytest.raises(ValidationError, match="webhook_allowed_networks"):
        settings(environment="sandbox", webhook_allowed_networks=(network,))


def test_keys_must_be_fernet_keys() -> None:
    with pytest.raises(ValidationError, match="webhook_keys"):
        settings(webhook_keys=SecretStr("short"))
