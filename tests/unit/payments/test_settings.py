"""Settings of payments: complete, and free of test systems in production."""

import pytest
from pydantic import SecretStr, ValidationError

from services.payments.banks.base import BankEnvironment
from services.payments.banks.registry import BANKS, open_banks
from services.payments.config import PaymentsSettings, origin_of

BASE: dict[str, object] = {
    "payments_database_url": SecretStr("postgresql+psycopg2://x"),
    "public_url": "https://api.fastcheck.store",
    "broker_url": SecretStr("redis://x"),
    "token_public_keys": {},
}

COMPLETE = {
    "FASTCHECK_TBANK_TERMINAL_KEY": "1700000000000",
    "FASTCHECK_TBANK_PASSWORD": "secret",
    "FASTCHECK_YOOKASSA_SHOP_ID": "1",
    "FASTCHECK_YOOKASSA_SECRET_KEY": "live_x",
    "FASTCHECK_SBER_USER_NAME": "x-api",
    "FASTCHECK_SBER_PASSWORD": "secret",
}


@pytest.fixture(autouse=True)
def _no_settings_of_the_person_who_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "TOKEN", "MORE_NETWORKS", "CALLBACK_SECRET", "CALLBACK_PUBLIC_KEY"):
        for bank in ("TBANK", "YOOKASSA", "SBER"):
            monkeypatch.delenv(f"FASTCHECK_{bank}_{name}", raising=False)
    for name, value in COMPLETE.items():
        monkeypatch.setenv(name, value)


PRODUCTION = BankEnvironment(environment="production")


def test_all_banks_open_when_their_settings_are_complete() -> None:
    assert set(open_banks(BANKS, PRODUCTION)) == {"tbank", "yookassa", "sber"}


@pytest.mark.parametrize("name", sorted(COMPLETE))
@pytest.mark.parametrize("empty", [True, False])
def test_missing_setting_of_a_bank_stops_the_start_and_is_named(
    name: str, empty: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if empty:
        monkeypatch.setenv(name, "")
    else:
        monkeypatch.delenv(name)
    with pytest.raises(SystemExit, match=name):
        open_banks(BANKS, PRODUCTION)


def test_disabled_bank_needs_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FASTCHECK_SBER_PASSWORD")
    assert set(open_banks(["tbank"], PRODUCTION)) == {"tbank"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FASTCHECK_TBANK_URL", "http://127.0.0.1:18300/v2/"),
        ("FASTCHECK_TBANK_URL", "http://securepay.tinkoff.ru/v2/"),
        ("FASTCHECK_TBANK_URL", "https://127.0.0.1/v2/"),
        ("FASTCHECK_TBANK_URL", "https://10.0.0.5/v2/"),
        ("FASTCHECK_TBANK_URL", "https://sandbox-bank-web/v2/"),
        ("FASTCHECK_TBANK_URL", "https://rest-api-test.tinkoff.ru/v2/"),
        ("FASTCHECK_TBANK_TERMINAL_KEY", "1700000000000DEMO"),
        ("FASTCHECK_TBANK_TERMINAL_KEY", "FastCheck00000001"),
        ("FASTCHECK_YOOKASSA_SECRET_KEY", "test_abc"),
        ("FASTCHECK_YOOKASSA_MORE_NETWORKS", "127.0.0.0/8"),
        ("FASTCHECK_SBER_URL", "http://sandbox_bank:8000/payment/rest/"),
    ],
)
def test_production_rejects_test_settings(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit, match=name):
        open_banks(BANKS, PRODUCTION)
    assert open_banks(BANKS, BankEnvironment(environment="sandbox"))


def test_unknown_bank_stops_the_start() -> None:
    for wrong in ({"bank": "bankofantarctica"}, {"banks": ("tbank", "x")}):
        with pytest.raises(ValidationError, match="FASTCHECK_BANK"):
            PaymentsSettings.model_validate({**BASE, **wrong})


def test_bank_of_new_top_ups_is_always_enabled() -> None:
    settings = PaymentsSettings.model_validate({**BASE, "bank": "sber", "banks": ("tbank", "sber")})
    assert settings.enabled_banks == ("sber", "tbank")


def test_return_origins_are_validated() -> None:
    assert origin_of("https://Shop.Example:443/a?b#c") == "https://shop.example"
    assert origin_of("http://localhost:8080/x") == "http://localhost:8080"
    assert origin_of("http://[::1]:81/") == "http://[::1]:81"
    for bad in (
        "javascript:alert(1)",
        "//x",
        "/x",
        "https://",
        "https://a@b/",
        "ftp://x",
        "https://x:99999/",
        "http://[",
    ):
        with pytest.raises(ValueError):
            origin_of(bad)


def test_own_origin_is_allowed() -> None:
    settings = PaymentsSettings.model_validate({**BASE, "return_origins": ("https://shop.example/",)})
    assert settings.allowed_return_origins == {"https://api.fastcheck.store", "https://shop.example"}
