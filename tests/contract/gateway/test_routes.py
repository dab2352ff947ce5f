"""The gateway serves exactly the public routes that the services document."""

import json
import re
from typing import Any

from flask import Flask

from services.gateway.documentation import merge

#: Routes of the gateway itself.
OWN = re.compile(r"(/v1)?/(healthz|openapi\.json)|/(docs.*|assets/.*|\.well-known/security\.txt)")
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}

#: The public API: the service that owns each call.
CONTRACT = {
    ("POST", "/register"): "accounts",
    ("POST", "/login"): "accounts",
    ("POST", "/logout"): "accounts",
    ("POST", "/logout/all"): "accounts",
    ("GET", "/sessions"): "accounts",
    ("DELETE", "/sessions/{}"): "accounts",
    ("GET", "/me"): "accounts",
    ("POST", "/me/password"): "accounts",
    ("GET", "/balance"): "balance",
    ("GET", "/balance/history"): "balance",
    ("POST", "/fastcheck"): "checks",
    ("GET", "/fastcheck/active"): "checks",
    ("POST", "/fastcheck/accept"): "checks",
    ("POST", "/fastcheck/preview"): "checks",
    ("GET", "/fastcheck/{}"): "checks",
    ("POST", "/fastcheck/preview/guest"): "checks",
    ("POST", "/fastcheck/{}/cancel"): "checks",
    ("POST", "/fastcheck/{}/code"): "checks",
    ("GET", "/fastcheck/history"): "checks",
    ("GET", "/fastcheck/{}/qr.svg"): "checks",
    ("POST", "/topup"): "payments",
    ("GET", "/topup"): "payments",
    ("GET", "/topup/{}"): "payments",
    ("GET", "/topup/{}/return"): "payments",
    ("POST", "/bank/webhook/{}"): "payments",
    ("GET", "/bank/webhook/{}"): "payments",
    ("POST", "/webhooks"): "webhooks",
    ("GET", "/webhooks"): "webhooks",
    ("DELETE", "/webhooks/{}"): "webhooks",
    ("POST", "/webhooks/{}/rotate"): "webhooks",
    ("GET", "/webhooks/{}/deliveries"): "webhooks",
    ("POST", "/webhooks/{}/deliveries/{}/replay"): "webhooks",
}

#: Calls that need no session.
OPEN = {
    ("POST", "/register"),
    ("POST", "/login"),
    ("POST", "/fastcheck/preview/guest"),
    ("GET", "/topup/{}/return"),
    ("POST", "/bank/webhook/{}"),
    ("GET", "/bank/webhook/{}"),
}

Documents = dict[str, dict[str, Any]]


def plain(path: str) -> str:
    """Return a path with its parameters as ``{}``, from the notation of OpenAPI or of Flask."""
    return re.sub(r"<[^>]+>|\{[^}]+\}", "{}", path)


def calls_of(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), plain(path)): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method.upper() in METHODS
    }


def api_of(gateway: Flask) -> dict[tuple[str, str], Any]:
    """Return the view of each call, without the gateway's own routes."""
    return {
        (method, plain(rule.rule)): gateway.view_functions[rule.endpoint]
        for rule in gateway.url_map.iter_rules()
        if not OWN.fullmatch(rule.rule) and not rule.endpoint.startswith(("web_app.", "api_v1."))
        for method in (rule.methods or set()) & METHODS
    }


def test_gateway_routes_each_call_of_the_contract_to_its_owner(gateway: Flask) -> None:
    assert {call: view.__fastcheck_owner__ for call, view in api_of(gateway).items()} == CONTRACT


def test_each_service_documents_exactly_its_calls(documents: Documents) -> None:
    documented = {
        call: name
        for name, document in documents.items()
        for call in calls_of(document)
        if not call[1].startswith("/internal")
    }
    assert documented == CONTRACT


def test_gateway_and_documents_agree_on_which_calls_need_a_session(gateway: Flask, documents: Documents) -> None:
    views = api_of(gateway)
    assert {call for call, view in views.items() if view.__fastcheck_access__ == "unauthenticated"} == OPEN
    for document in documents.values():
        for call, operation in calls_of(document).items():
            assert bool(operation.get("security")) == (call not in OPEN), call


def test_public_document_is_complete(documents: Documents) -> None:
    merged = merge(documents, "http://x")
    assert set(calls_of(merged)) == {*CONTRACT, ("GET", "/healthz")}
    text = json.dumps(merged)
    schemas = merged["components"]["schemas"]
    used = set(re.findall(r'"#/components/schemas/([^"]+)"', text))
    assert used <= set(schemas), "unresolved reference"
    operation_ids = [operation["operationId"] for operation in calls_of(merged).values()]
    assert len(operation_ids) == len(set(operation_ids))
    assert "/internal" not in text


def test_pages_of_the_web_app_shadow_no_call(gateway: Flask) -> None:
    pages = {plain(rule.rule) for rule in gateway.url_map.iter_rules() if rule.endpoint.startswith("web_app.")}
    assert pages
    assert pages.isdisjoint(path for _, path in CONTRACT)


def test_gateway_serves_no_route_outside_the_contract(gateway: Flask) -> None:
    named = {plain(rule.rule) for rule in gateway.url_map.iter_rules()}
    known = {path for _, path in CONTRACT}
    own = {path for path in named if OWN.fullmatch(path)}
    pages = {plain(rule.rule) for rule in gateway.url_map.iter_rules() if rule.endpoint.startswith("web_app.")}
    assert named == known | {f"/v1{path}" for path in known} | own | pages


def test_every_call_has_a_versioned_alias_with_the_same_guard(gateway: Flask) -> None:
    views = {
        (method, plain(rule.rule)): gateway.view_functions[rule.endpoint]
        for rule in gateway.url_map.iter_rules()
        for method in (rule.methods or set()) & METHODS
    }
    for method, path in [*CONTRACT, ("GET", "/healthz"), ("GET", "/openapi.json")]:
        assert views[method, f"/v1{path}"] is views[method, path], path
