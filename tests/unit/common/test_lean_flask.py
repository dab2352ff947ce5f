"""A direct route responds as Flask would: same status, headers and body."""

import json
import re
from collections.abc import Callable

import pytest
from flask import Flask
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.test import TestResponse

from common.core.errors import NotFound, TooManyRequests
from common.core.settings import Settings
from common.http.server.app import create_service
from common.http.server.endpoint import direct, unauthenticated
from common.http.server.request import Request
from common.http.server.request_body import read_body
from common.http.server.response import Response

HEADERS = {"X-Frame-Options": "DENY", "Cache-Control": "private"}
JSON = {"Content-Type": "application/json"}


View = Callable[[Request], Response]


def _raising(error: Exception) -> View:
    def view(request: Request) -> Response:
        raise error

    return view


def _returning(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> View:
    def view(request: Request) -> Response:
        return Response(status, body, dict(headers or {}))

    return view


def _echo(request: Request) -> Response:
    return Response(200, read_body(request))


def _request_id(request: Request) -> Response:
    return Response(200, request.request_id.encode())


def _replayed(request: Request) -> Response:
    error = NotFound()
    error.replayed = True
    raise error


VIEWS: dict[str, View] = {
    "found": _returning(200, b'{"balance": 1}', {**JSON, "Cache-Control": "no-store"}),
    "made": _returning(201, "рубль".encode(), JSON),
    "nothing": _returning(204),
    "bare": _returning(200, b"?"),
    "echo": _echo,
    "whoami": _request_id,
    "refused": _raising(NotFound()),
    "replayed": _replayed,
    "early": _raising(TooManyRequests(retry_after_seconds=7)),
    "large": _raising(RequestEntityTooLarge()),
    "bug": _raising(RuntimeError("secret detail")),
}


def _app(mark: Callable[[View], View]) -> Flask:
    app = create_service("test", Settings.load(), None, ready={}, headers=HEADERS)
    for name, view in VIEWS.items():
        app.add_url_rule(f"/{name}", name, mark(unauthenticated(view)), methods=["GET", "POST"])
    return app


@pytest.fixture(scope="module")
def direct_app() -> Flask:
    return _app(direct)


@pytest.fixture(scope="module")
def flask_app() -> Flask:
    return _app(lambda endpoint: endpoint)


def _seen(response: TestResponse) -> tuple[int, dict[str, str], bytes]:
    return response.status_code, {name.lower(): value for name, value in response.headers.items()}, response.data


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_direct_route_and_flask_give_the_same_response(
    direct_app: Flask, flask_app: Flask, name: str, method: str
) -> None:
    def ask(app: Flask) -> TestResponse:
        return app.test_client().open(f"/{name}", method=method, data=b"0123", headers={"X-Request-ID": "request-0001"})

    assert _seen(ask(direct_app)) == _seen(ask(flask_app))


def test_direct_route_bypasses_flask(direct_app: Flask, flask_app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("Flask was called")

    monkeypatch.setattr(Flask, "wsgi_app", fail)
    assert direct_app.test_client().get("/found").status_code == 200
    with pytest.raises(AssertionError, match="Flask was called"):
        flask_app.test_client().get("/found")


@pytest.mark.parametrize(
    ("method", "path"), [("HEAD", "/found"), ("OPTIONS", "/found"), ("PUT", "/found"), ("GET", "/")]
)
def test_request_that_matches_no_direct_route_is_handled_by_flask(
    direct_app: Flask, flask_app: Flask, method: str, path: str
) -> None:
    headers = {"X-Request-ID": "request-0001"}
    seen = [_seen(app.test_client().open(path, method=method, headers=headers)) for app in (direct_app, flask_app)]
    assert seen[0] == seen[1]
    assert seen[0][1]["x-frame-options"] == "DENY"


def test_headers_of_a_response_override_the_common_headers(direct_app: Flask) -> None:
    found, made = (direct_app.test_client().get(path) for path in ("/found", "/made"))
    assert (found.headers["Cache-Control"], made.headers["Cache-Control"]) == ("no-store", "private")


def test_invalid_request_id_is_replaced(direct_app: Flask) -> None:
    response = direct_app.test_client().get("/whoami", headers={"X-Request-ID": "with a blank"})
    assert re.fullmatch("[0-9a-f]{32}", response.text)
    assert response.headers["X-Request-ID"] == response.text


def test_unexpected_exception_is_an_internal_error_without_details(direct_app: Flask) -> None:
    response = direct_app.test_client().get("/bug")
    assert (response.status_code, json.loads(response.data)["code"]) == (500, "internal_error")
    assert "secret detail" not in response.text


def test_unknown_methods_share_one_metric_label(direct_app: Flask) -> None:
    for method in ("BREW", "WHEN"):
        assert direct_app.test_client().open("/found", method=method).status_code == 405
    metrics = direct_app.test_client().get("/metrics").text
    assert 'fastcheck_request_seconds_count{method="other",route="(none)",status="405"}' in metrics
    assert "BREW" not in metrics
