"""Rate limits as settings, and incomplete settings."""

import pytest

from services.gateway.config import GatewaySettings
from services.gateway.models import Limit
from services.gateway.repository import BARRIER_SECONDS, GRACE_SECONDS, MAX_CACHE_SECONDS

REQUIRED = {
    "FASTCHECK_PUBLIC_URL": "https://api.fastcheck.test",
    "FASTCHECK_CACHE_URL": "redis://127.0.0.1:1/1",
    "FASTCHECK_GATEWAY_TOKEN_KEY": "AAAA",
    "FASTCHECK_ACCOUNTS_URL": "http://127.0.0.1:1",
    "FASTCHECK_BALANCE_URL": "http://127.0.0.1:1",
    "FASTCHECK_CHECKS_URL": "http://127.0.0.1:1",
    "FASTCHECK_PAYMENTS_URL": "http://127.0.0.1:1",
    "FASTCHECK_WEBHOOKS_URL": "http://127.0.0.1:1",
}


@pytest.fixture(autouse=True)
def required(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in REQUIRED.items():
        monkeypatch.setenv(name, value)


def test_limit_is_written_as_requests_per_minute_and_burst(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTCHECK_RATE_LIMIT_READ", "600/30")
    settings = GatewaySettings.load()
    assert settings.rate_limit_read == Limit(per_minute=600, burst=30)
    assert settings.rate_limit_read.interval_us == 100_000


@pytest.mark.parametrize("value", ["600", "600/", "/30", "0/30", "-1/30", "600/x", "6e2/3", "fast", "[600, 30]"])
def test_invalid_limit_stops_the_start(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("FASTCHECK_RATE_LIMIT_READ", value)
    with pytest.raises(SystemExit, match=r"FASTCHECK_RATE_LIMIT_READ: .*for example 600/300"):
        GatewaySettings.load()


def test_production_requires_https_at_its_public_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTCHECK_PUBLIC_URL", "http://api.fastcheck.test")
    with pytest.raises(SystemExit, match="FASTCHECK_PUBLIC_URL: production requires https://"):
        GatewaySettings.load()
    monkeypatch.setenv("FASTCHECK_ENVIRONMENT", "sandbox")
    assert GatewaySettings.load().public_url == "http://api.fastcheck.test"


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_missing_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name)
    with pytest.raises(SystemExit, match=name):
        GatewaySettings.load()


def test_barrier_outlives_every_older_cache_entry() -> None:
    settings = GatewaySettings.load()
    assert settings.http_timeout_seconds < GRACE_SECONDS
    assert BARRIER_SECONDS > GRACE_SECONDS + MAX_CACHE_SECONDS
