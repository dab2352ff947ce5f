"""The service webhooks on a new database, called as the gateway calls it, with a receiver and a clock that stands."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlalchemy import text
from standardwebhooks import Webhook as Verifier
from werkzeug.test import TestResponse

from common.bus.inbox import Inbox
from common.contracts.events import CheckAccepted, CheckCancelled, CheckCreated, Event, PaymentConfirmed, pack
from common.core.errors import ServiceUnavailable
from common.http.server.identity import TokenIssuer
from deploy import credentials
from services.webhooks import service
from services.webhooks.app import create_app
from services.webhooks.config import WebhooksSettings
from services.webhooks.context import Context
from services.webhooks.handlers import handlers
from tests.support.scripted_server import Peer, ScriptedServer

Json = dict[str, Any]


class HeldClock:
    """A clock that stands still until :meth:`advance`."""

    def __init__(self) -> None:
        self.instant = datetime.now(UTC)

    def now(self) -> datetime:
        return self.instant

    def advance(self, **duration: float) -> None:
        self.instant += timedelta(**duration)


@dataclass
class Publishers:
    """In place of checks and payments: the users that are followed."""

    followed: list[UUID] = field(default_factory=list)
    is_down: bool = False

    def follow(self, user_id: UUID) -> None:
        if self.is_down:
            raise ServiceUnavailable
        self.followed.append(user_id)


class Receiver:
    """A receiver of webhooks that responds with the next status of its list, and then always with the last one."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses or (204,))
        self.server = ScriptedServer(self._serve)

    @property
    def url(self) -> str:
        return f"{self.server.url}/hook"

    @property
    def received(self) -> list[tuple[dict[str, str], bytes]]:
        """The headers and the body of each request, in order."""
        return [_parsed(request) for request in self.server.requests]

    def verified(self, secret: str) -> list[Json]:
        """Verify every request with the official library; return the payloads."""
        return [Verifier(secret).verify(body, headers) for headers, body in self.received]

    def _serve(self, peer: Peer) -> None:
        if peer.read_request():
            status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
            peer.send(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())


def _parsed(request: bytes) -> tuple[dict[str, str], bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    lines = [line.partition(": ") for line in head.decode().split("\r\n")[1:]]
    return {name.lower(): value for name, _, value in lines}, body


@dataclass(frozen=True, slots=True)
class System:
    """The service, with one method for each request that the tests send."""

    client: FlaskClient
    context: Context
    publishers: Publishers
    tokens: TokenIssuer
    clock: HeldClock
    inbox: Inbox

    def call(self, method: str, path: str, user: UUID, body: Json | None = None) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.tokens.issue('webhooks', user)}"}
        return self.client.open(path, method=method, headers=headers, json=body)

    def create(self, user: UUID, url: str, events: list[str] | None = None) -> Json:
        """Register a webhook and return it with its secret."""
        body: Json = {"url": url} if events is None else {"url": url, "events": events}
        response = self.call("POST", "/webhooks", user, body)
        assert response.status_code == 201, response.text
        return dict(response.get_json())

    def webhook(self, user: UUID) -> Json:
        """Return the user's only webhook."""
        (found,) = self.call("GET", "/webhooks", user).get_json()["webhooks"]
        return dict(found)

    def deliveries(self, user: UUID, webhook: Json) -> list[Json]:
        return list(self.call("GET", f"/webhooks/{webhook['id']}/deliveries", user).get_json()["deliveries"])

    def replay(self, user: UUID, webhook: Json, delivery: Json) -> TestResponse:
        return self.call("POST", f"/webhooks/{webhook['id']}/deliveries/{delivery['id']}/replay", user)

    def publish(self, *events: Event) -> None:
        """Receive events from the bus, each in a message of its own."""
        for event in events:
            assert self.inbox.receive("checks", [pack(event)]) == [pack(event).event_id]

    def deliver(self) -> int:
        return service.deliver_due(self.context)

    def rows(self, statement: str, **parameters: Any) -> Sequence[Any]:
        with self.context.db.autocommit() as tx:
            result = tx.execute(text(statement), parameters)
            return result.all() if result.returns_rows else []


@pytest.fixture
def system(make_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    secrets = credentials.generate()
    app = create_app(
        WebhooksSettings(
            environment="sandbox",
            webhooks_database_url=SecretStr(make_database("webhooks")),
            webhooks_token_key=SecretStr(secrets.token_keys["webhooks"]),
            webhook_keys=SecretStr(secrets.webhook_keys),
            checks_url="http://127.0.0.1:1",
            payments_url="http://127.0.0.1:1",
            broker_url=SecretStr("redis://127.0.0.1:1"),
            token_public_keys=secrets.public_keys(),
            webhook_allowed_networks=("127.0.0.0/8",),
            webhook_timeout_seconds=5,
        )
    )
    clock, publishers = HeldClock(), Publishers()
    context = replace(app.extensions["context"], clock=clock, publishers=publishers)
    app.extensions["context"] = context
    # Without it, a delay is up to a tenth longer.
    monkeypatch.setattr(service, "JITTER", 0)
    tokens = TokenIssuer("gateway", secrets.token_keys["gateway"])
    inbox = Inbox(context.db, handlers(clock), max_attempts=3)
    yield System(app.test_client(), context, publishers, tokens, clock, inbox)
    context.db.dispose()


@pytest.fixture
def make_receiver() -> Iterator[Callable[..., Receiver]]:
    """``make_receiver(500, 204)``: a receiver that is stopped after the test."""
    with ExitStack() as running:

        def make(*statuses: int) -> Receiver:
            receiver = Receiver(*statuses)
            running.enter_context(receiver.server)
            return receiver

        yield make


@pytest.fixture
def receiver(make_receiver: Callable[..., Receiver]) -> Receiver:
    return make_receiver()


@dataclass(frozen=True, slots=True)
class CheckEvents:
    """The events of one check, created now."""

    creator: UUID
    created_at: datetime
    acceptor: UUID = field(default_factory=uuid4)
    check_id: UUID = field(default_factory=uuid4)

    @property
    def created(self) -> CheckCreated:
        at = self.created_at
        return CheckCreated(
            self.check_id, "1234-5678-0001", self.creator, 15000, "RUB", at + timedelta(days=7), at, "На обед"
        )

    @property
    def accepted(self) -> CheckAccepted:
        return CheckAccepted(
            self.check_id,
            "1234-5678-0001",
            self.acceptor,
            15000,
            "RUB",
            self.created_at + timedelta(minutes=1),
            self.creator,
            self.created_at,
            "На обед",
        )

    @property
    def cancelled(self) -> CheckCancelled:
        at = self.created_at
        return CheckCancelled(
            self.check_id, "1234-5678-0001", self.creator, 15000, "RUB", at + timedelta(minutes=1), at
        )


def topup_of(user: UUID) -> PaymentConfirmed:
    return PaymentConfirmed(uuid4(), user, "tbank", 50000, "RUB", datetime.now(UTC))
