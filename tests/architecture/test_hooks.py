"""Flask's hooks run on every route of every service, also those that another package registers."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, Response, request, request_started

from deploy.services import SERVICES

NAMES = [service.name for service in SERVICES]

#: The routes that are answered without Flask. A route is added here after a measurement, see ``docs/decisions``.
SHORT_ROUTES = {
    "gateway": {("GET", "/balance"), ("POST", "/fastcheck"), ("POST", "/fastcheck/accept")},
    "checks": {("POST", "/fastcheck"), ("POST", "/fastcheck/accept")},
    "balance": {
        ("GET", "/balance"),
        ("POST", "/internal/holds"),
        ("POST", "/internal/holds:batch"),
        ("POST", "/internal/settlements"),
        ("POST", "/internal/settlements:batch"),
        ("POST", "/internal/releases"),
    },
}


@pytest.mark.parametrize("service", NAMES)
def test_no_application_wide_hook_of_a_service_closes_its_short_path(
    service: str, web_app: Callable[[str], Any]
) -> None:
    """A hook that fails here is skipped by no request, but sends the routes of the short path through Flask.

    Implement it for these routes as well (see ``common/http/server/exchange.py``), or register it on a blueprint.
    """
    short_path = web_app(service).extensions.get("short_path")
    assert (set() if short_path is None else set(short_path._routes)) == SHORT_ROUTES.get(service, set())
    assert short_path is None or short_path.is_open()


@pytest.mark.parametrize("service", NAMES)
def test_hook_and_signal_of_an_instrumentation_run_on_every_route(service: str, web_app: Callable[[str], Any]) -> None:
    app: Flask = web_app(service)
    hooked: list[str] = []
    signalled: list[str] = []
    requested: list[str] = []

    def hook() -> Response:
        hooked.append(f"{request.method} {request.path}")
        return Response("from the hook")

    def subscriber(_sender: Flask, **_extra: object) -> None:
        signalled.append(f"{request.method} {request.path}")

    if service == "sandbox_bank":
        # It would start a thread that needs the database.
        app.before_request_funcs[None].remove(app.extensions["deliverer"].ensure_running)
    app.before_request(hook)
    routes = [(rule, method) for rule in app.url_map.iter_rules() for method in sorted(rule.methods or ())]
    with request_started.connected_to(subscriber, app):
        for rule, method in routes:
            path = re.sub("<[^>]+>", "1", rule.rule)
            response = app.test_client().open(path, method=method)
            assert response.data == (b"" if method == "HEAD" else b"from the hook"), f"{method} {rule.rule}"
            assert response.headers["X-Request-ID"]
            requested.append(f"{method} {path}")
    assert len(requested) > 5
    assert (hooked, signalled) == (requested, requested)
