"""The service accounts on a new database, called as the gateway calls it, with a clock that the test sets."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from werkzeug.test import TestResponse

from common.db.engine import Database
from common.http.server.identity import TokenIssuer
from deploy import credentials
from services.accounts.app import create_app
from services.accounts.config import AccountsSettings
from services.accounts.context import Context

PASSWORD = "correct horse battery"


@dataclass
class HeldClock:
    """A clock that stands still until :meth:`advance`."""

    instant: datetime = field(default_factory=lambda: datetime.now(UTC))

    def now(self) -> datetime:
        return self.instant

    def advance(self, **duration: float) -> None:
        self.instant += timedelta(**duration)


@dataclass(frozen=True, slots=True)
class Signed:
    """A session as the response to its user shows it."""

    user_id: UUID
    session_id: str
    expires_at: str

    @property
    def session_hash(self) -> str:
        return hashlib.sha256(self.session_id.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Accounts:
    """The service accounts, with one method for each request that the tests send."""

    client: FlaskClient
    context: Context
    tokens: TokenIssuer
    clock: HeldClock

    @property
    def db(self) -> Database:
        return self.context.db

    def post(
        self,
        path: str,
        body: Any = None,
        *,
        session: Signed | None = None,
        address: str = "192.0.2.1",
        devices: str = "",
    ) -> TestResponse:
        headers = {
            "Authorization": f"Bearer {self.tokens.issue('accounts', session.user_id if session else None)}",
            "X-Client-Address": address,
            "X-Known-Devices": devices,
        }
        if session:
            headers["X-Session-Hash"] = session.session_hash
        return self.client.post(path, json=body, headers=headers)

    def get(self, path: str, session: Signed) -> TestResponse:
        token = self.tokens.issue("accounts", session.user_id)
        return self.client.get(path, headers={"Authorization": f"Bearer {token}"})

    def register(self, login: str = "alice", password: str = PASSWORD) -> Signed:
        return signed(self.post("/register", {"login": login, "password": password}), 201)

    def log_in(self, login: str = "alice", password: str = PASSWORD) -> Signed:
        return signed(self.post("/login", {"login": login, "password": password}), 200)

    def verify(self, session: Signed) -> TestResponse:
        return self.post("/internal/sessions/verify", {"sessionHash": session.session_hash})

    def is_alive(self, session: Signed) -> bool:
        response = self.verify(session)
        assert response.status_code in (200, 404), response.text
        return response.status_code == 200


def signed(response: TestResponse, status: int) -> Signed:
    assert response.status_code == status, response.text
    body = response.get_json()
    assert set(body) == {"userID", "sessionID", "expiresAt"}
    return Signed(UUID(body["userID"]), body["sessionID"], body["expiresAt"])


MakeAccounts = Callable[..., Accounts]


@pytest.fixture
def make_accounts(make_database: Callable[[str], str]) -> Iterator[MakeAccounts]:
    """Return a function that creates the service: ``make_accounts(max_sessions_per_user=2)``."""
    made: list[Accounts] = []

    def make(**settings: Any) -> Accounts:
        secrets = credentials.generate()
        app = create_app(
            AccountsSettings(
                accounts_database_url=SecretStr(make_database("accounts")),
                token_public_keys=secrets.public_keys(),
                **{"password_hashes_at_once": 8, "password_hashes_waiting": 64, **settings},
            )
        )
        clock = HeldClock()
        app.extensions["context"] = context = replace(app.extensions["context"], clock=clock)
        made.append(Accounts(app.test_client(), context, TokenIssuer("gateway", secrets.token_keys["gateway"]), clock))
        return made[-1]

    yield make
    for one in made:
        one.db.dispose()


@pytest.fixture
def accounts(make_accounts: MakeAccounts) -> Accounts:
    return make_accounts()
