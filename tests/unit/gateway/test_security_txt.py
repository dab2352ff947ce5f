"""``/.well-known/security.txt`` has the fields that RFC 9116 requires."""

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from pydantic import SecretStr, ValidationError

from common.core.clock import parse_utc
from deploy.credentials import generate
from services.gateway.app import create_app
from services.gateway.config import GatewaySettings
from services.gateway.security_txt import PATH, VALID_FOR, render

NOWHERE = "http://127.0.0.1:1"
NOW = datetime(2026, 1, 19, 9, 8, 18, tzinfo=UTC)


def gateway(contact: tuple[str, ...], public_url: str = "https://fastcheck.example") -> Flask:
    return create_app(
        GatewaySettings(
            environment="sandbox",
            public_url=public_url,
            cache_url=SecretStr("redis://127.0.0.1:1/0"),
            gateway_token_key=SecretStr(generate().token_keys["gateway"]),
            accounts_url=NOWHERE,
            balance_url=NOWHERE,
            checks_url=NOWHERE,
            payments_url=NOWHERE,
            webhooks_url=NOWHERE,
            security_contact=contact,
        )
    )


def test_file_is_served_as_plain_text_and_has_not_expired() -> None:
    response = (
        gateway(("mailto:security@fastcheck.example", "https://fastcheck.example/report")).test_client().get(PATH)
    )
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    fields = [line.split(": ", 1) for line in response.text.splitlines()]
    contacts = [value for name, value in fields if name == "Contact"]
    assert contacts == ["mailto:security@fastcheck.example", "https://fastcheck.example/report"]
    (expires,) = [parse_utc(value) for name, value in fields if name == "Expires"]
    remaining = expires - datetime.now(UTC)
    assert timedelta(days=1) < remaining <= VALID_FOR < timedelta(days=365)


def test_without_a_contact_there_is_no_file() -> None:
    response = gateway(()).test_client().get(PATH)
    assert response.status_code == 404
    assert response.get_json()["code"] == "not_found"


@pytest.mark.parametrize(
    ("public_url", "expected"),
    [("https://fastcheck.example/", ["Canonical: https://fastcheck.example" + PATH]), ("http://localhost:8000", [])],
)
def test_canonical_address_is_named_only_if_it_is_https(public_url: str, expected: list[str]) -> None:
    lines = render(["tel:+7-495-000-00-00"], public_url, NOW).splitlines()
    assert [line for line in lines if line.startswith("Canonical")] == expected
    assert "Expires: 2026-04-19T09:08:18Z" in lines


@pytest.mark.parametrize("contact", ["security@fastcheck.example", "http://fastcheck.example", "mailto:a\nContact: b"])
def test_contact_that_is_not_an_address_of_the_rfc_is_rejected(contact: str) -> None:
    with pytest.raises(ValidationError, match="a contact is a mailto:, tel: or https:// address"):
        gateway((contact,))
