"""The sandbox bank behind a real server, and a merchant's server that records its notifications."""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import pytest
from flask import Flask
from pydantic import SecretStr
from sqlalchemy import text

from services.sandbox_bank.app import create_app
from services.sandbox_bank.config import SandboxBankSettings
from services.sandbox_bank.context import Context
from tests.integration.payments.servers import (
    PASSWORD,
    SBER_PASSWORD,
    SBER_SECRET,
    SBER_USER,
    SHOP_ID,
    SHOP_KEY,
    TERMINAL,
    serving,
)
from tests.support.databases import as_owner


@dataclass
class Merchant:
    """A receiver of notifications. It returns ``responses`` one after another, and repeats the last one."""

    url: str = ""
    responses: list[tuple[str, bytes]] = field(default_factory=lambda: [("200 OK", b"OK")])
    received: list[tuple[str, str, bytes]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        with self.lock:
            self.received.append((environ["REQUEST_METHOD"], environ.get("QUERY_STRING", ""), body))
            status, response = self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]
        start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(response)))])
        return [response]


@dataclass(frozen=True, slots=True)
class RunningBank:
    url: str
    app: Flask
    settings: dict[str, object]

    @property
    def context(self) -> Context:
        context: Context = self.app.extensions["context"]
        return context

    def rows(self, query: str, **values: object) -> list[dict[str, Any]]:
        with as_owner(self.context.db) as tx:
            return [dict(row) for row in tx.execute(text(query), values).mappings()]


@pytest.fixture
def merchant() -> Iterator[Merchant]:
    merchant = Merchant()
    with serving(lambda _url: merchant) as url:
        merchant.url = url
        yield merchant


@pytest.fixture
def make_bank(make_database: Callable[[str], str], merchant: Merchant) -> Iterator[Callable[..., RunningBank]]:
    stack: list[Any] = []

    def make(**settings: object) -> RunningBank:
        made: dict[str, Any] = {}

        def build(url: str) -> WSGIApplication:
            made["settings"] = {
                "environment": "sandbox",
                "sandbox_bank_database_url": SecretStr(make_database("sandbox_bank")),
                "sandbox_bank_url": url,
                "sandbox_bank_repeat_seconds": 0.1,
                "tbank_terminal_key": TERMINAL,
                "tbank_password": SecretStr(PASSWORD),
                "yookassa_shop_id": SHOP_ID,
                "yookassa_secret_key": SecretStr(SHOP_KEY),
                "sber_user_name": SBER_USER,
                "sber_password": SecretStr(SBER_PASSWORD),
                "sber_callback_secret": SecretStr(SBER_SECRET),
                "public_url": merchant.url,
                **settings,
            }
            made["app"] = create_app(SandboxBankSettings.model_validate(made["settings"]))
            app: WSGIApplication = made["app"]
            return app

        server = serving(build)
        url = server.__enter__()
        stack.append((server, made["app"]))
        return RunningBank(url, made["app"], made["settings"])

    yield make
    for server, app in reversed(stack):
        server.__exit__(None, None, None)
        app.extensions["deliverer"].stop()
        app.extensions["context"].db.dispose()


@pytest.fixture
def bank(make_bank: Callable[..., RunningBank]) -> RunningBank:
    return make_bank()
