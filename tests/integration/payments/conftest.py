"""A town with payments and a bank, each on a fresh database."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from wsgiref.types import WSGIApplication

import pytest
from flask import Flask
from pydantic import SecretStr

from services.payments.app import create_app
from services.payments.banks.tbank import TBank, TBankSettings
from services.payments.config import PaymentsSettings
from services.sandbox_bank.app import create_app as create_bank
from services.sandbox_bank.config import SandboxBankSettings
from tests.integration.payments.servers import PASSWORD, TERMINAL, Keys, LikeTheGateway, Town, serving

MakeTown = Callable[..., Town]


@pytest.fixture
def make_town(make_database: Callable[[str], str]) -> Iterator[MakeTown]:
    """``make_town(topup_lifetime_seconds=60, bank={"sandbox_bank_faults": ("notify_twice",)})``."""
    with ExitStack() as stack:
        yield lambda bank=None, **settings: stack.enter_context(_town(make_database, settings, bank or {}))


@pytest.fixture
def town(make_town: MakeTown) -> Town:
    return make_town()


@contextmanager
def _town(make_database: Callable[[str], str], settings: dict[str, object], bank: dict[str, object]) -> Iterator[Town]:
    keys = Keys()
    apps: dict[str, Flask] = {}

    def build_bank(url: str) -> WSGIApplication:
        values: dict[str, object] = {
            "environment": "sandbox",
            "sandbox_bank_database_url": SecretStr(make_database("sandbox_bank")),
            "sandbox_bank_url": url,
            "sandbox_bank_late_seconds": 0.5,
            "sandbox_bank_repeat_seconds": 0.2,
            "tbank_terminal_key": TERMINAL,
            "tbank_password": SecretStr(PASSWORD),
            **bank,
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
            "bank_timeout_seconds": 2.0,
            **settings,
        }
        checked = PaymentsSettings.model_validate(values)
        tbank = TBank(
            TBankSettings(terminal_key=TERMINAL, password=SecretStr(PASSWORD), url=f"{bank_url}/v2/"), checked
        )
        apps["payments"] = create_app(checked, banks={"tbank": tbank})
        return LikeTheGateway(apps["payments"], lambda: keys.bearer("gateway", "payments"))

    with serving(build_bank) as bank_url, serving(build_payments) as url:
        town = Town(url, bank_url, apps["payments"], apps["bank"], keys)
        yield town
        town.bank_app.extensions["deliverer"].stop()
        town.bank.db.dispose()
        town.context.db.dispose()
