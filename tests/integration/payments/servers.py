"""The payments app and the sandbox bank behind real HTTP servers, and a user of them.

A stub replaces the gateway: it adds the gateway's token and the client's address to requests for the public paths
that need no session, as the gateway does.
"""

import base64
import re
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from pydantic import SecretStr
from sqlalchemy import text
from werkzeug.serving import make_server

from common.db.engine import Database
from common.http.server.identity import TokenIssuer
from services.payments.banks.base import Bank, BankEnvironment
from services.payments.banks.sber import Sber, SberSettings
from services.payments.banks.tbank import TBank, TBankSettings
from services.payments.banks.yookassa import YooKassa, YooKassaSettings
from services.payments.context import Context
from services.payments.models import order_id_of
from services.sandbox_bank.context import Context as BankContext
from services.sandbox_bank.protocols.tbank import sign
from tests.support.databases import as_owner

TERMINAL = "1234567890123"
PASSWORD = "sandbox-password"
BANKS = ("tbank", "yookassa", "sber")
SHOP_ID = "100500"
SHOP_KEY = "live_sandbox-secret-key"
SBER_USER = "fastcheck-api"
SBER_PASSWORD = "sber-password"
SBER_SECRET = "sber-callback-secret"
PAYING_CARD = "4111 1111 1111 1111"
DECLINED_CARD = "4000 0000 0000 0002"
TIMEOUT = 30


def adapters(bank_url: str, environment: BankEnvironment) -> dict[str, Bank]:
    """Return the adapters of the three banks, all pointed at the sandbox bank."""
    return {
        "tbank": TBank(
            TBankSettings(terminal_key=TERMINAL, password=SecretStr(PASSWORD), url=f"{bank_url}/v2/"), environment
        ),
        "yookassa": YooKassa(
            YooKassaSettings(
                shop_id=SHOP_ID,
                secret_key=SecretStr(SHOP_KEY),
                url=f"{bank_url}/v3/",
                more_networks=("127.0.0.0/8",),
            ),
            environment,
        ),
        "sber": Sber(
            SberSettings(
                user_name=SBER_USER,
                password=SecretStr(SBER_PASSWORD),
                url=f"{bank_url}/payment/rest/",
                callback_secret=SecretStr(SBER_SECRET),
            ),
            environment,
        ),
    }


def listening_socket() -> socket.socket:
    """Return a listening socket. The address of notifications must be known before the server is created."""
    return socket.create_server(("127.0.0.1", 0))


class Keys:
    """The key pairs of the callers."""

    def __init__(self) -> None:
        self._private = {
            name: Ed25519PrivateKey.generate() for name in ("gateway", "payments", "operator", "checks", "balance")
        }

    def private(self, name: str) -> str:
        return base64.b64encode(self._private[name].private_bytes_raw()).decode()

    def public(self) -> dict[str, str]:
        return {
            name: base64.b64encode(key.public_key().public_bytes_raw()).decode() for name, key in self._private.items()
        }

    def bearer(self, caller: str, audience: str, user_id: UUID | None = None) -> str:
        return f"Bearer {TokenIssuer(caller, self.private(caller)).issue(audience, user_id)}"


class GatewayStub:
    """Add the gateway's own token to requests for public paths without a session."""

    _PATHS = re.compile(r"^/(bank/webhook/[^/]+|topup/[^/]+/return)$")

    def __init__(self, app: WSGIApplication, bearer: Callable[[], str]) -> None:
        self._app = app
        self._bearer = bearer

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if self._PATHS.match(environ["PATH_INFO"]):
            environ["HTTP_AUTHORIZATION"] = self._bearer()
            environ.setdefault("HTTP_X_CLIENT_ADDRESS", environ["REMOTE_ADDR"])
        return self._app(environ, start_response)


@contextmanager
def serving(build: Callable[[str], WSGIApplication], listener: socket.socket | None = None) -> Iterator[str]:
    """Serve the application that ``build(url)`` returns. Yield its URL."""
    listener = listener or listening_socket()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = make_server("127.0.0.1", 0, lambda *_: [], threaded=True, fd=listener.fileno())
    server.app = build(url)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name=f"server {url}")
    thread.start()
    try:
        yield url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        listener.close()


@dataclass(frozen=True, slots=True)
class System:
    """Payments and the bank, running."""

    url: str
    bank_url: str
    app: Flask
    bank_app: Flask
    keys: Keys
    balance_app: Flask | None = None

    @property
    def balance(self) -> Database:
        """Return the database of the ledger. The system must have one."""
        assert self.balance_app is not None
        db: Database = self.balance_app.extensions["context"].db
        return db

    @property
    def context(self) -> Context:
        context: Context = self.app.extensions["context"]
        return context

    @property
    def bank(self) -> BankContext:
        context: BankContext = self.bank_app.extensions["context"]
        return context

    def user(self) -> "User":
        return User(self, uuid4())

    def rows(self, query: str, **values: object) -> list[Mapping[str, Any]]:
        """Return rows from the database of payments."""
        with as_owner(self.context.db) as tx:
            return [dict(row) for row in tx.execute(text(query), values).mappings()]

    def bank_rows(self, query: str, **values: object) -> list[Mapping[str, Any]]:
        """Return rows from the database of the bank."""
        with as_owner(self.bank.db) as tx:
            return [dict(row) for row in tx.execute(text(query), values).mappings()]

    def plan(self, *plan: list[str]) -> None:
        """Set the faults of the next orders."""
        response = requests.put(
            f"{self.bank_url}/admin/faults", json={"plan": list(plan)}, auth=(TERMINAL, PASSWORD), timeout=TIMEOUT
        )
        assert response.status_code == 204, response.text

    def credits(self, topup_id: str) -> int:
        """Return the number of events that credit this top-up: 0 or 1."""
        return len(self.rows("SELECT 1 FROM outbox WHERE payload ->> 'topup_id' = :id", id=topup_id))

    def later(self, **delta: float) -> Context:
        """Return a context with the same database and banks whose clock is ahead by ``delta``."""
        settings = self.context.settings.model_copy(
            update={"clock_offset_seconds": round(timedelta(**delta).total_seconds())}
        )
        return Context.open(settings, "later", self.context.banks)

    def notify(self, fields: Mapping[str, object], password: str = PASSWORD) -> requests.Response:
        """Send a notification of T-Bank, signed with ``password``."""
        body = {**fields, "Token": sign(fields, password)}
        return requests.post(f"{self.url}/bank/webhook/tbank", json=body, timeout=TIMEOUT)

    def confirmation(self, topup: Mapping[str, Any], status: str = "CONFIRMED", **more: object) -> dict[str, object]:
        """Return the fields of T-Bank's notification about the payment of a top-up."""
        payment = self.bank_rows(
            "SELECT public_id, order_id FROM payments WHERE order_id = :id",
            id=order_id_of(UUID(topup["transactionID"]), 1),
        )[0]
        return {
            "TerminalKey": TERMINAL,
            "OrderId": payment["order_id"],
            "Success": True,
            "Status": status,
            "PaymentId": int(payment["public_id"]),
            "ErrorCode": "0",
            "Amount": topup["amount"],
            "Pan": "411111******1111",
            "ExpDate": "1230",
            **more,
        }

    def as_operator(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request as the command line does."""
        headers = {"Authorization": self.keys.bearer("operator", "payments")}
        return requests.request(method, f"{self.url}{path}", headers=headers, timeout=TIMEOUT, **options)

    def verdicts(self, topup_id: str) -> set[tuple[str, str]]:
        rows = self.rows("SELECT bank_status, verdict FROM notifications WHERE topup_id = :id", id=topup_id)
        return {(row["bank_status"], row["verdict"]) for row in rows}


@dataclass(frozen=True, slots=True)
class User:
    """A signed-in user. Requests carry the gateway's token for this user."""

    system: System
    user_id: UUID

    def headers(self, key: str | None = None) -> dict[str, str]:
        bearer = self.system.keys.bearer("gateway", "payments", self.user_id)
        return {"Authorization": bearer, **({"Idempotency-Key": key} if key else {})}

    def post_topup(self, amount: int = 50_000, key: str | None = None, **more: object) -> requests.Response:
        body = {"amount": amount, "returnUrl": f"{self.system.url}/back", **more}
        return requests.post(f"{self.system.url}/topup", json=body, headers=self.headers(key), timeout=TIMEOUT)

    def start(self, amount: int = 50_000, key: str | None = None) -> dict[str, Any]:
        response = self.post_topup(amount, key)
        assert response.status_code == 201, response.text
        content: dict[str, Any] = response.json()
        return content

    def pay(self, topup: Mapping[str, Any], card: str = PAYING_CARD, **more: str) -> requests.Response:
        """Submit the form of the payment page. Redirects are not followed."""
        form = {"card_number": card, "expiry": "12/30", "cvc": "123", **more}
        return requests.post(topup["paymentUrl"], data=form, allow_redirects=False, timeout=TIMEOUT)

    def topup(self, topup: Mapping[str, Any]) -> dict[str, Any]:
        response = requests.get(
            f"{self.system.url}/topup/{topup['transactionID']}", headers=self.headers(), timeout=TIMEOUT
        )
        assert response.status_code == 200, response.text
        content: dict[str, Any] = response.json()
        return content

    def status(self, topup: Mapping[str, Any]) -> str:
        return str(self.topup(topup)["status"])
