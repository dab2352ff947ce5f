"""The routes of balance: authorized callers and invalid input."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask.testing import FlaskClient
from structlog.testing import CapturingLogger

from common.db.engine import Database
from common.http.server.identity import TokenIssuer
from deploy.credentials import generate
from services.balance import routes, service
from services.balance.app import create_app
from services.balance.models import Posting, TransferKind

SECRETS = generate()
GATEWAY = TokenIssuer("gateway", SECRETS.token_keys["gateway"])
CHECKS = TokenIssuer("checks", SECRETS.token_keys["checks"])


@pytest.fixture
def client(make_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    monkeypatch.setenv("FASTCHECK_BALANCE_DATABASE_URL", make_database("balance"))
    monkeypatch.setenv("FASTCHECK_BROKER_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("FASTCHECK_BALANCE_TOKEN_KEY", SECRETS.token_keys["balance"])
    monkeypatch.setenv("FASTCHECK_TOKEN_PUBLIC_KEYS", json.dumps(SECRETS.public_keys()))
    app = create_app()
    yield app.test_client()
    app.extensions["context"].db.dispose()


def _as_user(user_id: UUID) -> dict[str, str]:
    return {"Authorization": f"Bearer {GATEWAY.issue('balance', user_id)}"}


def _as_checks(user_id: UUID | None = None) -> dict[str, str]:
    return {"Authorization": f"Bearer {CHECKS.issue('balance', user_id)}"}


def _hold(**changes: Any) -> dict[str, Any]:
    body = {
        "checkID": str(uuid4()),
        "userID": str(uuid4()),
        "amount": 500,
        "currency": "RUB",
        "fastcheck": "1234-5678-0001",
    }
    return {**body, **changes}


def test_balance_has_the_documented_format(client: FlaskClient) -> None:
    response = client.get("/balance", headers=_as_user(uuid4()))
    assert (response.status_code, response.json) == (200, {"balance": 0, "currency": "RUB"})


@pytest.mark.parametrize("path", ["/balance", "/balance/history"])
def test_request_without_a_token_is_not_authorized(client: FlaskClient, path: str) -> None:
    response = client.get(path)
    assert (response.status_code, response.json) == (401, {"message": "not authorized"})


COMMANDS = ("/internal/holds", "/internal/settlements", "/internal/releases")
BATCHES = ("/internal/holds:batch", "/internal/settlements:batch")


@pytest.mark.parametrize("path", [*COMMANDS, *BATCHES])
def test_users_cannot_call_internal_routes(client: FlaskClient, path: str) -> None:
    assert client.post(path, json=_hold(), headers=_as_user(uuid4())).status_code == 403
    assert client.post(path, json=_hold()).status_code == 401


@pytest.mark.parametrize("path", ["/balance", "/balance/history"])
def test_services_cannot_read_for_a_user(client: FlaskClient, path: str) -> None:
    """Only the gateway vouches for users: a stolen key of another service must not act for one."""
    assert client.get(path, headers=_as_checks(uuid4())).status_code == 403
    assert client.get(path, headers=_as_checks()).status_code == 403
    assert client.get(path, headers={"Authorization": f"Bearer {GATEWAY.issue('balance')}"}).status_code == 403


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("currency=XXX", "currency"),
        ("currency=rub", "currency"),
        ("at=0.5", "at"),
        ("at=2026-01-19", "at"),
        ("at=2026-01-19T09:08:18", "at"),
        ("at=2999-01-19T09:08:18Z", "at"),
        ("at=0001-01-01T00:00:00%2B10:00", "at"),
        ("what=ever", "what"),
    ],
)
def test_invalid_query_is_rejected_with_the_name_of_the_field(client: FlaskClient, query: str, field: str) -> None:
    response = client.get(f"/balance?{query}", headers=_as_user(uuid4()))
    assert response.status_code == 400
    assert response.json is not None
    assert list(response.json["errors"]) == [field]


@pytest.mark.parametrize("at", ["1384-08-21T16:12:47.2-23:35", "2026-01-19T09:08:18%2B23:59", "0001-01-01T00:00:00Z"])
def test_time_can_have_any_offset_that_its_format_allows(client: FlaskClient, at: str) -> None:
    response = client.get(f"/balance?at={at}", headers=_as_user(uuid4()))
    assert (response.status_code, response.json) == (200, {"balance": 0, "currency": "RUB"})


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 0},
        {"amount": -5},
        {"amount": 5.0},
        {"amount": "5"},
        {"amount": True},
        {"amount": 10**13},
        {"currency": "XXX"},
        {"checkID": "no"},
        {"userID": None},
        {"more": 1},
    ],
)
def test_invalid_command_is_rejected_with_the_name_of_the_field(client: FlaskClient, change: dict[str, Any]) -> None:
    response = client.post("/internal/holds", json=_hold(**change), headers=_as_checks())
    assert response.status_code == 400
    assert response.json is not None
    assert list(response.json["errors"]) == list(change)


def test_hold_without_funds_is_rejected_with_a_message(client: FlaskClient) -> None:
    response = client.post("/internal/holds", json=_hold(), headers=_as_checks())
    assert response.status_code == 409
    assert response.json == {"message": "not enough money on the balance", "code": "insufficient_funds"}


def test_settlement_without_a_hold_is_a_conflict(client: FlaskClient) -> None:
    response = client.post("/internal/settlements", json=_hold(), headers=_as_checks())
    assert response.status_code == 409
    assert response.json is not None
    assert response.json["code"] == "transfer_conflict"


def test_batch_reports_the_outcome_of_each_command_and_logs_the_requests_that_it_serves(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = CapturingLogger()
    monkeypatch.setattr(routes, "log", log)
    user = uuid4()
    service.credit(_database(client), Posting(TransferKind.TOPUP, uuid4(), user, 700, "RUB", "a top-up"))
    holds = [_hold(userID=str(user), requestID=f"request-{number}", traceparent=f"trace-{number}") for number in (1, 2)]
    response = client.post("/internal/holds:batch", json={"items": holds}, headers=_as_checks())
    assert (response.status_code, response.json) == (200, {"outcomes": ["done", "alone"]})
    settlements = [{**holds[0], "userID": str(uuid4())}, _hold()]
    response = client.post("/internal/settlements:batch", json={"items": settlements}, headers=_as_checks())
    assert (response.status_code, response.json) == (200, {"outcomes": ["alone", "alone"]})
    logged = [call.kwargs for call in log.calls if call.args == ("commands_executed",)]
    assert logged[0]["links"] == [
        {"request_id": "request-1", "traceparent": "trace-1"},
        {"request_id": "request-2", "traceparent": "trace-2"},
    ]
    assert [(line["kind"], line["alone"]) for line in logged] == [("check_created", 1), ("check_accepted", 2)]


@pytest.mark.parametrize("path", BATCHES)
@pytest.mark.parametrize(("count", "status"), [(0, 400), (1, 200), (64, 200), (65, 400)])
def test_batch_has_at_least_one_command_and_at_most_a_group_of_them(
    client: FlaskClient, path: str, count: int, status: int
) -> None:
    response = client.post(path, json={"items": [_hold() for _ in range(count)]}, headers=_as_checks())
    assert response.status_code == status


def _database(client: FlaskClient) -> Database:
    db: Database = client.application.extensions["context"].db
    return db
