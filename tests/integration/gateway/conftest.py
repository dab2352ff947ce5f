"""The gateway with the services accounts and balance, and a recorder in place of the others."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import redis
from pydantic import SecretStr
from werkzeug import Request, Response
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.test import Client, TestResponse, run_wsgi_app

from deploy import credentials
from deploy.credentials import Credentials
from services.accounts.app import create_app as create_accounts
from services.accounts.config import AccountsSettings
from services.balance.app import create_app as create_balance
from services.balance.config import BalanceSettings
from services.gateway.app import create_app as create_gateway
from services.gateway.config import GatewaySettings
from services.gateway.context import Context

PASSWORD = "correct horse battery"


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request as the service received it from the gateway."""

    method: str
    path: str
    raw_query: bytes
    headers: dict[str, str]
    body: bytes


@dataclass
class Recorder:
    """A service that records its requests and responds as the test sets."""

    requests: list[RecordedRequest] = field(default_factory=list)
    respond: Callable[[], Response] = field(default=lambda: Response(b'{"ok":true}', mimetype="application/json"))

    @property
    def app(self) -> Any:
        """The WSGI application."""

        @Request.application
        def record(request: Request) -> Response:
            recorded = RecordedRequest(
                request.method, request.path, request.query_string, dict(request.headers), request.get_data()
            )
            self.requests.append(recorded)
            return self.respond()

        return record

    @property
    def last(self) -> RecordedRequest:
        return self.requests[-1]


class Served:
    """A WSGI application that is served at ``url`` until it is stopped."""

    def __init__(self, app: Any) -> None:
        self._server: BaseWSGIServer = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
        """Log nothing: the application logs its requests."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """One gateway process, with the requests that clients send."""

    client: Client
    context: Context

    def get(self, path: str, session: str | None = None, **headers: str) -> TestResponse:
        return self.client.get(path, headers=_headers(session, headers))

    def post(self, path: str, body: Any = None, session: str | None = None, **headers: str) -> TestResponse:
        arguments = {"data": body} if isinstance(body, bytes) else {"json": body}
        return self.client.post(path, headers=_headers(session, headers), **arguments)

    def send(self, environ: dict[str, Any]) -> tuple[int, bytes]:
        """Call the application with this WSGI environment, which a client library would not produce."""
        content, status, _headers = run_wsgi_app(self.client.application, environ)
        return int(status.split()[0]), b"".join(content)

    def register(self, login: str = "alice") -> str:
        return self._session("/register", 201, login)

    def log_in(self, login: str = "alice") -> str:
        return self._session("/login", 200, login)

    def is_authorized(self, session: str) -> bool:
        response = self.get("/balance", session)
        assert response.status_code in (200, 401), response.text
        return response.status_code == 200

    def _session(self, path: str, status: int, login: str) -> str:
        response = self.post(path, {"login": login, "password": PASSWORD})
        assert response.status_code == status, response.text
        return str(response.get_json()["sessionID"])


def _headers(session: str | None, more: dict[str, str]) -> dict[str, str]:
    headers = {name.replace("_", "-"): value for name, value in more.items()}
    return headers if session is None else {"Authorization": f'{{"sessionID": "{session}"}}', **headers}


@dataclass
class Stack:
    """The services, and a factory of gateway processes."""

    accounts: Served
    balance: Served
    recorder: Recorder
    others: Served
    secrets: Credentials
    cache_url: str

    def gateway(self, **settings: Any) -> Gateway:
        values: dict[str, Any] = {
            "environment": "sandbox",
            "public_url": "http://fastcheck.test",
            "cache_url": SecretStr(self.cache_url),
            "gateway_token_key": SecretStr(self.secrets.token_keys["gateway"]),
            "accounts_url": self.accounts.url,
            "balance_url": self.balance.url,
            "checks_url": self.others.url,
            "payments_url": self.others.url,
            "webhooks_url": self.others.url,
            # Long, for a machine that runs many tests at once. Tests of a slow Redis set their own.
            "cache_timeout_seconds": 5.0,
            **settings,
        }
        app = create_gateway(GatewaySettings(**values))
        return Gateway(app.test_client(use_cookies=False), app.extensions["context"])

    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.cache_url, decode_responses=True)


@contextmanager
def _served(app: Any) -> Iterator[Served]:
    server = Served(app)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def stack(make_database: Callable[[str], str], redis_url: str, cache_url: str) -> Iterator[Stack]:
    secrets = credentials.generate()
    accounts = create_accounts(
        AccountsSettings(
            accounts_database_url=SecretStr(make_database("accounts")),
            token_public_keys=secrets.public_keys(),
            password_hashes_waiting=64,
        )
    )
    balance = create_balance(
        BalanceSettings(
            balance_database_url=SecretStr(make_database("balance")),
            balance_token_key=SecretStr(secrets.token_keys["balance"]),
            broker_url=SecretStr(redis_url),
            token_public_keys=secrets.public_keys(),
        )
    )
    recorder = Recorder()
    with ExitStack() as running:
        yield Stack(
            accounts=running.enter_context(_served(accounts)),
            balance=running.enter_context(_served(balance)),
            recorder=recorder,
            others=running.enter_context(_served(recorder.app)),
            secrets=secrets,
            cache_url=cache_url,
        )
    accounts.extensions["context"].db.dispose()
    balance.extensions["context"].db.dispose()


@pytest.fixture
def gateway(stack: Stack) -> Gateway:
    return stack.gateway()
