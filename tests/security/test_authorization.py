"""The authorization matrix, generated from the routes: every route of every service and every kind of caller.

A new route fails the test until ``CALLERS`` says who may call it.
"""

import importlib
import re
import time
from collections.abc import Iterator
from typing import Any, Final
from unittest import mock
from uuid import UUID

import pytest
from flask import Flask

from common.http.server.identity import TokenIssuer
from deploy.credentials import Credentials, generate
from deploy.environment import process_environment, system_settings
from deploy.services import BY_NAME, SERVICES
from deploy.services import CALLERS as ISSUERS

USER: Final = UUID("11111111-1111-4111-8111-111111111111")
#: The user that the gateway names; or the services that may call for themselves.
A_USER: Final = "user"
ANYONE: Final = "anyone"
METHODS: Final = {"GET", "POST", "PUT", "PATCH", "DELETE"}

#: Routes of every service.
COMMON: Final = {("GET", path): ANYONE for path in ("/healthz", "/openapi.json")}

#: Who may call each route.
CALLERS: Final[dict[str, dict[tuple[str, str], str]]] = {
    "accounts": {
        ("POST", "/register"): "gateway",
        ("POST", "/login"): "gateway",
        ("POST", "/logout"): A_USER,
        ("POST", "/logout/all"): A_USER,
        ("GET", "/me"): A_USER,
        ("POST", "/me/password"): A_USER,
        ("POST", "/internal/sessions/verify"): "gateway",
        ("GET", "/sessions"): A_USER,
        ("DELETE", "/sessions/<id>"): A_USER,
    },
    "balance": {
        ("GET", "/balance"): A_USER,
        ("GET", "/balance/history"): A_USER,
        ("POST", "/internal/holds"): "checks",
        ("POST", "/internal/holds:batch"): "checks",
        ("POST", "/internal/settlements"): "checks",
        ("POST", "/internal/settlements:batch"): "checks",
        ("POST", "/internal/releases"): "checks",
        ("POST", "/internal/topup-refunds"): "payments",
        ("POST", "/internal/topup-refund-returns"): "payments",
    },
    "checks": {
        ("POST", "/fastcheck"): A_USER,
        ("POST", "/fastcheck/accept"): A_USER,
        ("POST", "/fastcheck/preview"): A_USER,
        ("POST", "/fastcheck/preview/guest"): "gateway",
        ("POST", "/fastcheck/<fastcheck>/cancel"): A_USER,
        ("POST", "/fastcheck/<fastcheck>/code"): A_USER,
        ("GET", "/fastcheck/<fastcheck>/qr.svg"): A_USER,
        ("GET", "/fastcheck/<fastcheck>"): A_USER,
        ("GET", "/fastcheck/active"): A_USER,
        ("GET", "/fastcheck/history"): A_USER,
        ("PUT", "/internal/followed-users/<userID>"): "webhooks",
    },
    "payments": {
        ("POST", "/topup"): A_USER,
        ("GET", "/topup"): A_USER,
        ("GET", "/topup/<transactionID>"): A_USER,
        ("GET", "/topup/<transactionID>/return"): "gateway",
        ("POST", "/bank/webhook/<bank>"): "gateway",
        ("GET", "/bank/webhook/<bank>"): "gateway",
        ("GET", "/internal/topups/<transactionID>"): "operator",
        ("POST", "/internal/topups/<transactionID>/polls"): "operator",
        ("POST", "/internal/topups/<transactionID>/refunds"): "operator",
        ("GET", "/internal/notifications/refused"): "operator",
        ("POST", "/internal/reconciliations"): "operator",
        ("PUT", "/internal/followed-users/<userID>"): "webhooks",
    },
    "webhooks": {
        ("POST", "/webhooks"): A_USER,
        ("GET", "/webhooks"): A_USER,
        ("DELETE", "/webhooks/<id>"): A_USER,
        ("POST", "/webhooks/<id>/rotate"): A_USER,
        ("GET", "/webhooks/<id>/deliveries"): A_USER,
        ("POST", "/webhooks/<id>/deliveries/<deliveryId>/replay"): A_USER,
    },
}
MATRIX: Final = [
    (service, call, allowed) for service, routes in CALLERS.items() for call, allowed in {**COMMON, **routes}.items()
]


@pytest.fixture(scope="module")
def credentials() -> Credentials:
    return generate()


@pytest.fixture(scope="module")
def apps(credentials: Credentials) -> Iterator[dict[str, Flask]]:
    """The application of each service, without a connection to any server."""
    names = ["postgres", "redis", *(service.name for service in SERVICES)]
    addresses = {name: f"127.0.0.1:{20_000 + number}" for number, name in enumerate(names)}
    settings = system_settings(credentials, addresses, public_url=f"http://{addresses['gateway']}", user={})
    with pytest.MonkeyPatch.context() as patch:
        made = {}
        for name in (*CALLERS, "gateway"):
            for variable, value in process_environment(BY_NAME[name], settings).items():
                patch.setenv(variable, value)
            made[name] = importlib.import_module(f"services.{name}.app").create_app()
        yield made


def routes_of(app: Flask) -> dict[tuple[str, str], Any]:
    """Return the view of each route by method and path."""
    return {
        (method, rule.rule): app.view_functions[rule.endpoint]
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) & METHODS
    }


def outcome(app: Flask, method: str, path: str, token: str | None) -> str:
    """Return ``unauthorized``, ``forbidden``, or ``admitted`` for a request with this token and an invalid body."""
    headers = {"Authorization": token} if token is not None else {}
    target = re.sub("<[^>]+>", str(USER), path)
    response = app.test_client().open(target, method=method, data=b"{", headers=headers)
    if response.status_code == 401:
        assert response.get_json() == {"message": "not authorized"}
        return "unauthorized"
    return "forbidden" if (response.get_json(silent=True) or {}).get("code") == "forbidden" else "admitted"


def expired_token(issuer: TokenIssuer, audience: str) -> str:
    with mock.patch.object(time, "time", return_value=time.time() - 3_600):
        return f"Bearer {issuer.issue(audience, USER)}"


@pytest.mark.parametrize("service", CALLERS)
def test_every_route_says_who_may_call_it(apps: dict[str, Flask], service: str) -> None:
    assert set(routes_of(apps[service])) == {*COMMON, *CALLERS[service]}


@pytest.mark.parametrize(("service", "call", "allowed"), MATRIX)
def test_route_admits_its_caller_and_no_other(
    apps: dict[str, Flask], credentials: Credentials, service: str, call: tuple[str, str], allowed: str
) -> None:
    app, (method, path) = apps[service], call
    if allowed == ANYONE:
        assert outcome(app, method, path, None) == "admitted"
        return
    stranger = TokenIssuer("gateway", generate().token_keys["gateway"])
    gateway = TokenIssuer("gateway", credentials.token_keys["gateway"])
    other_audience = next(name for name in CALLERS if name != service)
    rejected = {
        "no token": None,
        "no scheme": gateway.issue(service, USER),
        "rubbish": "Bearer rubbish",
        "a session": "Bearer 1AF3781BF6B94604B771AEA1D44FA63A",
        "wrong audience": f"Bearer {gateway.issue(other_audience, USER)}",
        "wrong key": f"Bearer {stranger.issue(service, USER)}",
        "expired": expired_token(TokenIssuer("gateway", credentials.token_keys["gateway"]), service),
    }
    for name, token in rejected.items():
        assert outcome(app, method, path, token) == "unauthorized", name
    for issuer in ISSUERS:
        tokens = TokenIssuer(issuer, credentials.token_keys[issuer])
        for user_id in (None, USER):
            admitted = issuer == "gateway" and user_id is not None if allowed == A_USER else issuer == allowed
            expected = "admitted" if admitted else "forbidden"
            assert outcome(app, method, path, f"Bearer {tokens.issue(service, user_id)}") == expected, (issuer, user_id)


def test_gateway_requires_a_session_where_a_service_requires_a_user(apps: dict[str, Flask]) -> None:
    """The gateway's own routes are compared with the services' in ``tests/contract/gateway``."""
    users_only = {call for routes in CALLERS.values() for call, allowed in routes.items() if allowed == A_USER}
    views = routes_of(apps["gateway"])
    for method, path in users_only:
        assert views[method, path].__fastcheck_access__ == "authenticated", (method, path)
        for header in (None, "", "Bearer ", "Bearer x", '{"sessionID": "x"}', '{"sessionID": 1}', "[]", "{" * 300):
            assert outcome(apps["gateway"], method, path, header) == "unauthorized", (method, path, header)
