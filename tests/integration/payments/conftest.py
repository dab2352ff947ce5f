"""Payments and the sandbox bank, each on a new database, with all three protocols enabled."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from wsgiref.types import WSGIApplication

import pytest
from flask import Flask
from pydantic import SecretStr

from services.balance.app import create_app as create_balance
from services.balance.config import BalanceSettings
from services.payments.app import create_app
from services.payments.config import PaymentsSettings
from services.sandbox_bank.app import create_app as create_bank
from services.sandbox_bank.config import SandboxBankSettings
from tests.integration.payments.servers import (
    BANKS,
    PASSWORD,
    SBER_PASSWORD,
    SBER_SECRET,
    SBER_USER,
    SHOP_ID,
    SHOP_KEY,
    TERMINAL,
    GatewayStub,
    Keys,
    System,
    adapters,
    listening_socket,
    serving,
)

MakeSystem = Callable[..., System]


@pytest.fixture
def make_system(make_database: Callable[[str], str]) -> Iterator[MakeSystem]:
    """Return ``make_system(bank="sber", with_balance=True, sandbox={"sandbox_bank_faults": ("notify_twice",)})``."""
    with ExitStack() as stack:
        yield lambda sandbox=None, **settings: stack.enter_context(_run_system(make_database, settings, sandbox or {}))


@pytest.fixture
def system(make_system: MakeSystem) -> System:
    return make_system()


@pytest.fixture(params=BANKS)
def system_of_each_bank(request: pytest.FixtureRequest, make_system: MakeSystem) -> System:
    return make_system(bank=request.param)


@contextmanager
def _run_system(
    make_database: Callable[[str], str], settings: dict[str, object], sandbox: dict[str, object]
) -> Iterator[System]:
    keys = Keys()
    apps: dict[str, Flask] = {}
    listener = listening_socket()

    def build_bank(url: str) -> WSGIApplication:
        values: dict[str, object] = {
            "environment": "sandbox",
            "sandbox_bank_database_url": SecretStr(make_database("sandbox_bank")),
            "sandbox_bank_url": url,
            "sandbox_bank_late_seconds": 0.5,
            "sandbox_bank_repeat_seconds": 0.2,
            "tbank_terminal_key": TERMINAL,
            "tbank_password": SecretStr(PASSWORD),
            "yookassa_shop_id": SHOP_ID,
            "yookassa_secret_key": SecretStr(SHOP_KEY),
            "sber_user_name": SBER_USER,
            "sber_password": SecretStr(SBER_PASSWORD),
            "sber_callback_secret": SecretStr(SBER_SECRET),
            "public_url": f"http://127.0.0.1:{listener.getsockname()[1]}",
            **sandbox,
        }
        apps["bank"] = create_bank(SandboxBankSettings.model_validate(values))
        return apps["bank"]

    def build_payments(url: str) -> WSGIApplication:
        values: dict[str, object] = {
            "environment": "sandbox",
            "payments_database_url": SecretStr(make_database("payments")),
            "public_url": url,
            "return_origins": ("https://shop.example",),
            "broker_url": SecretStr("redis://unused"),
            "token_public_keys": keys.public(),
            "bank": "tbank",
            "banks": BANKS,
            "bank_timeout_seconds": 2.0,
            **settings,
        }
        checked = PaymentsSettings.model_validate(values)
        apps["payments"] = create_app(checked, banks=adapters(bank_url, checked))
        return GatewayStub(apps["payments"], lambda: keys.bearer("gateway", "payments"))

    def build_balance(_url: str) -> WSGIApplication:
        values: dict[str, object] = {
            "environment": "sandbox",
            "balance_database_url": SecretStr(make_database("balance")),
            "balance_token_key": SecretStr(keys.private("balance")),
            "broker_url": SecretStr("redis://unused"),
            "token_public_keys": keys.public(),
        }
        apps["balance"] = create_balance(BalanceSettings.model_validate(values))
        return apps["balance"]

    with ExitStack() as stack:
        bank_url = stack.enter_context(serving(build_bank))
        if settings.pop("with_balance", False):
            settings["balance_url"] = stack.enter_context(serving(build_balance))
            settings["payments_token_key"] = SecretStr(keys.private("payments"))
        url = stack.enter_context(serving(build_payments, listener))
        system = System(url, bank_url, apps["payments"], apps["bank"], keys, apps.get("balance"))
        yield system
        system.bank_app.extensions["deliverer"].stop()
        system.bank.db.dispose()
        system.context.db.dispose()
        if system.balance_app is not None:
            system.balance.dispose()
