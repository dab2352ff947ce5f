"""The services checks and balance on two databases, with real HTTP between them and a clock that the test sets."""

import base64
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final
from uuid import UUID, uuid4

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from pydantic import SecretStr
from sqlalchemy import text
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.test import TestResponse

from common.core.clock import SystemClock
from common.core.settings import DatabaseSettings
from common.db.engine import Database
from common.http.server.identity import TokenIssuer
from services.balance import service as ledger
from services.balance.app import create_app as create_balance
from services.balance.config import BalanceSettings
from services.balance.context import Context as BalanceContext
from services.balance.models import Posting, TransferKind
from services.checks.app import create_app as create_checks
from services.checks.config import ChecksSettings
from services.checks.context import Context
from services.checks.models import number_of
from tests.support.databases import as_owner

Json = dict[str, Any]


class MovableClock:
    """A clock that stands still until :meth:`move`."""

    def __init__(self) -> None:
        self._now = datetime.now(UTC)

    def now(self) -> datetime:
        return self._now

    def move(self, **duration: float) -> None:
        self._now += timedelta(**duration)


def _key_pair() -> tuple[str, str]:
    private = Ed25519PrivateKey.generate()
    return (
        base64.b64encode(private.private_bytes_raw()).decode(),
        base64.b64encode(private.public_key().public_bytes_raw()).decode(),
    )


GATEWAY_KEY, GATEWAY_PUBLIC_KEY = _key_pair()
CHECKS_KEY, CHECKS_PUBLIC_KEY = _key_pair()
WEBHOOKS_KEY, WEBHOOKS_PUBLIC_KEY = _key_pair()
BALANCE_KEY, BALANCE_PUBLIC_KEY = _key_pair()
PUBLIC_KEYS: Final = {
    "gateway": GATEWAY_PUBLIC_KEY,
    "checks": CHECKS_PUBLIC_KEY,
    "balance": BALANCE_PUBLIC_KEY,
    "webhooks": WEBHOOKS_PUBLIC_KEY,
}
GATEWAY: Final = TokenIssuer("gateway", GATEWAY_KEY)


class _KeepAlive(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    connections: ClassVar[set[socket.socket]] = set()

    def setup(self) -> None:
        super().setup()
        self.connections.add(self.connection)

    def finish(self) -> None:
        self.connections.discard(self.connection)
        super().finish()

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  the name is werkzeug's
        """The application logs its requests itself."""


class BalanceServer:
    """The balance application behind a socket. It can stop and start again at the same address."""

    def __init__(self, database_url: str, redis_url: str) -> None:
        self.settings = BalanceSettings(
            balance_database_url=SecretStr(database_url),
            balance_token_key=SecretStr(BALANCE_KEY),
            broker_url=SecretStr(redis_url),
            token_public_keys=PUBLIC_KEYS,
        )
        self._app = create_balance(self.settings)
        self.context: BalanceContext = self._app.extensions["context"]
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.db = Database(database_url, settings=DatabaseSettings(), application_name="test")
        self.up()

    def up(self) -> None:
        self._server = make_server("127.0.0.1", self.port, self._app, threaded=True, request_handler=_KeepAlive)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def down(self) -> None:
        """Stop listening and close all open connections."""
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._thread.join()
        for connection in list(_KeepAlive.connections):
            connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()
        self._server = None

    def close(self) -> None:
        self.down()
        self.db.dispose()
        self.context.db.dispose()


@dataclass
class ChecksSystem:
    """Checks and balance in this process, with one method for each operation that the tests perform."""

    app: Flask
    context: Context
    clock: MovableClock
    balance: BalanceServer
    documented: Json = field(repr=False)

    def new_user(self, amount_minor: int = 0) -> UUID:
        """Return the id of a new user with this balance."""
        user_id = uuid4()
        if amount_minor:
            self.top_up(user_id, amount_minor)
        return user_id

    def top_up(self, user_id: UUID, amount_minor: int) -> None:
        ledger.credit(self.balance.db, Posting(TransferKind.TOPUP, uuid4(), user_id, amount_minor, "RUB", "a top-up"))

    def balance_of(self, user_id: UUID) -> int:
        return ledger.get_balance(self.balance.db, SystemClock(), user_id, "RUB", None)

    def escrow_balance(self) -> int:
        with self.balance.db.autocommit() as tx:
            statement = "SELECT COALESCE(sum(amount_minor), 0) FROM entries JOIN accounts USING (account_id)"
            return int(tx.execute(text(f"{statement} WHERE kind = 'escrow'")).scalar_one())

    def call(
        self,
        user_id: UUID | None,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        query: Mapping[str, Any] | None = None,
        address: str | None = None,
    ) -> TestResponse:
        """Send a request as the gateway forwards it, and assert that the response's status is documented.

        ``address`` is the client's.
        """
        headers = {"Idempotency-Key": key} if key else {}
        if address:
            headers["X-Client-Address"] = address
        if user_id:
            headers["Authorization"] = f"Bearer {GATEWAY.issue('checks', user_id)}"
        return self._send(method, path, body, headers, query)

    def call_as_guest(self, method: str, path: str, body: Any, address: str) -> TestResponse:
        """Send a request without a session as the gateway forwards it."""
        headers = {"Authorization": f"Bearer {GATEWAY.issue('checks')}", "X-Client-Address": address}
        return self._send(method, path, body, headers)

    def _send(
        self, method: str, path: str, body: Any, headers: dict[str, str], query: Mapping[str, Any] | None = None
    ) -> TestResponse:
        response = self.app.test_client().open(path, method=method, json=body, headers=headers, query_string=query)
        rule, _ = self.app.url_map.bind("").match(path, method=method, return_rule=True)
        route = rule.rule.replace("<", "{").replace(">", "}")
        assert str(response.status_code) in self.documented["paths"][route][method.lower()]["responses"], response.text
        return response

    def try_create(self, user_id: UUID, amount: int = 1_000, key: str | None = None, **more: Any) -> TestResponse:
        return self.call(user_id, "POST", "/fastcheck", {"amount": amount, **more}, key=key)

    def create(self, user_id: UUID, amount: int = 1_000, **more: Any) -> Json:
        response = self.try_create(user_id, amount, **more)
        assert response.status_code == 201, response.text
        return _json(response)

    def accept(self, user_id: UUID, check: Json, code: str | None = None, key: str | None = None) -> TestResponse:
        body = {"fastcheck": check["fastcheck"], "code": code or check["code"]}
        return self.call(user_id, "POST", "/fastcheck/accept", body, key=key)

    def preview(self, user_id: UUID, check: Json, code: str | None = None) -> TestResponse:
        body = {"fastcheck": check["fastcheck"], "code": code or check["code"]}
        return self.call(user_id, "POST", "/fastcheck/preview", body)

    def cancel(self, user_id: UUID, check: Json, key: str | None = None) -> TestResponse:
        return self.call(user_id, "POST", f"/fastcheck/{check['fastcheck']}/cancel", key=key)

    def active(self, user_id: UUID, **query: Any) -> list[Json]:
        return list(_json(self.call(user_id, "GET", "/fastcheck/active", query=query))["checks"])

    def history(self, user_id: UUID, **query: Any) -> list[Json]:
        return list(_json(self.call(user_id, "GET", "/fastcheck/history", query=query))["checks"])

    def stored(self, check: Json) -> Json:
        """Return the row of a check."""
        with self.context.db.autocommit() as tx:
            number = {"number": number_of(check["fastcheck"])}
            return dict(tx.execute(text("SELECT * FROM checks WHERE number = :number"), number).mappings().one())

    def rows(self, statement: str, **parameters: Any) -> list[Json]:
        with as_owner(self.context.db) as tx:
            found = tx.execute(text(statement), parameters)
            return [dict(row) for row in found.mappings()] if found.returns_rows else []

    def open_events(self) -> int:
        """Return the number of open outbox rows, after the rows of acknowledged events are closed."""
        self.context.acknowledger.flush()
        return int(self.rows("SELECT count(*) AS open FROM outbox WHERE closed_at IS NULL")[0]["open"])


def wrong_code(check: Json, guess: int = 1) -> str:
    """Return a code that is not this check's, a different one for each guess below 10,000."""
    return f"{(int(check['code']) + guess) % 10_000:04d}"


def checks_settings(database_url: str, balance_port: int, redis_url: str, **more: Any) -> ChecksSettings:
    """Return settings of checks that name balance at this port."""
    return ChecksSettings(
        checks_database_url=SecretStr(database_url),
        checks_token_key=SecretStr(CHECKS_KEY),
        balance_url=f"http://127.0.0.1:{balance_port}",
        environment="sandbox",
        public_url="http://127.0.0.1:18080",
        code_keys=SecretStr(Fernet.generate_key().decode()),
        broker_url=SecretStr(redis_url),
        token_public_keys=PUBLIC_KEYS,
        **{"database_pool_size": 24, "database_pool_timeout_seconds": 20.0, **more},
    )


@contextmanager
def running_checks(
    *, checks_url: str, balance_url: str, redis_url: str, settings: Mapping[str, Any] | None = None
) -> Iterator[ChecksSystem]:
    """Run both services. Close their connections at the end."""
    balance = BalanceServer(balance_url, redis_url)
    clock = MovableClock()
    app = create_checks(checks_settings(checks_url, balance.port, redis_url, **(settings or {})))
    context: Context = replace(app.extensions["context"], clock=clock)
    app.extensions["context"] = context
    try:
        yield ChecksSystem(app, context, clock, balance, app.api_doc)
    finally:
        # The database is dropped after this: the acknowledger's thread must have no work left.
        context.acknowledger.flush()
        balance.close()
        context.db.dispose()


def _json(response: TestResponse) -> Json:
    body = response.get_json()
    assert isinstance(body, dict), response.text
    return body
