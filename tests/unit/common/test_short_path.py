"""A route on the short path is answered as Flask would: in status, headers and body, whatever happens in its view.

The short path is not used as soon as it would skip a hook.
"""

import json
import re
from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest
from flask import Blueprint, Flask, signals
from flask import Response as FlaskResponse
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.test import Client, TestResponse

from common.core.errors import NotFound, TooManyRequests
from common.core.settings import Settings
from common.http.server.app import create_service
from common.http.server.endpoint import unauthenticated
from common.http.server.exchange import Exchange
from common.http.server.request import Request
from common.http.server.request_body import read_body
from common.http.server.response import Response
from common.http.server.short_path import ShortPath

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


def _app(short: bool) -> Flask:
    routes = Blueprint("routes", __name__)
    for name, view in VIEWS.items():
        routes.add_url_rule(f"/{name}", name, unauthenticated(view), methods=["GET", "POST"])
    listed = [(method, f"/{name}") for name in VIEWS for method in ("GET", "POST")] if short else []
    return create_service(
        "test", Settings.load(), None, ready={}, routes=[routes], headers=HEADERS, short_routes=listed
    )


@pytest.fixture
def short_app() -> Flask:
    return _app(short=True)


@pytest.fixture
def regular_app() -> Flask:
    return _app(short=False)


def _seen(answer: TestResponse) -> tuple[int, dict[str, str], bytes]:
    return answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, answer.data


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_both_paths_give_the_same_response(short_app: Flask, regular_app: Flask, name: str, method: str) -> None:
    def ask(app: Flask) -> TestResponse:
        return app.test_client().open(f"/{name}", method=method, data=b"0123", headers={"X-Request-ID": "request-0001"})

    assert _seen(ask(short_app)) == _seen(ask(regular_app))


def _dispatches(app: Flask) -> Callable[[str], bool]:
    """Return a function that tells whether Flask dispatches a GET of a path."""
    dispatched = []

    def dispatch() -> FlaskResponse:
        dispatched.append(1)
        return app.response_class("flask")

    app.full_dispatch_request = dispatch  # type: ignore[method-assign]

    def get(path: str) -> bool:
        dispatched.clear()
        app.test_client().get(path)
        return bool(dispatched)

    return get


def test_route_on_the_list_is_answered_without_flask(short_app: Flask, regular_app: Flask) -> None:
    assert not _dispatches(short_app)("/found")
    assert _dispatches(regular_app)("/found")


def _nothing(*_: object, **__: object) -> None:
    """Hook that does nothing."""


def _wrap_a_view(app: Flask) -> None:
    view: Any = app.view_functions["routes.found"]

    @wraps(view)
    def wrapped() -> Any:
        return view()

    app.view_functions["routes.found"] = wrapped


HOOKS: dict[str, Callable[[Flask], object]] = {
    "before_request": lambda app: app.before_request(_nothing),
    "after_request": lambda app: app.after_request(lambda response: response),
    "teardown_request": lambda app: app.teardown_request(_nothing),
    "teardown_appcontext": lambda app: app.teardown_appcontext(_nothing),
    "url_value_preprocessor": lambda app: app.url_value_preprocessor(_nothing),
    "error handler": lambda app: app.register_error_handler(ValueError, _nothing),  # type: ignore[arg-type]
    "blueprint": lambda app: app.before_request_funcs["routes"].append(_nothing),
    "wrapped view": _wrap_a_view,
}


@pytest.mark.parametrize("hook", HOOKS)
def test_short_path_is_closed_by_a_hook_that_it_would_skip(short_app: Flask, hook: str) -> None:
    dispatches = _dispatches(short_app)
    assert not dispatches("/found")
    HOOKS[hook](short_app)
    assert dispatches("/found")


SIGNALS = [
    signals.request_started,
    signals.request_finished,
    signals.request_tearing_down,
    signals.got_request_exception,
    signals.appcontext_pushed,
    signals.appcontext_popped,
    signals.appcontext_tearing_down,
]


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: str(signal.name))
def test_short_path_is_closed_while_a_signal_has_a_subscriber(short_app: Flask, signal: Any) -> None:
    dispatches = _dispatches(short_app)
    with signal.connected_to(_nothing):
        assert dispatches("/found")
    assert not dispatches("/found")


@pytest.mark.parametrize("route", [("PUT", "/found"), ("GET", "/missing")])
def test_list_with_a_route_that_does_not_exist_is_rejected(regular_app: Flask, route: tuple[str, str]) -> None:
    with pytest.raises(KeyError):
        ShortPath(regular_app, Exchange(regular_app, {}), [route])


@pytest.mark.parametrize(
    ("method", "path"), [("HEAD", "/found"), ("OPTIONS", "/found"), ("PUT", "/found"), ("GET", "/")]
)
def test_request_that_is_not_exactly_on_the_list_goes_to_flask(
    short_app: Flask, regular_app: Flask, method: str, path: str
) -> None:
    headers = {"X-Request-ID": "request-0001"}
    seen = [_seen(app.test_client().open(path, method=method, headers=headers)) for app in (short_app, regular_app)]
    assert seen[0] == seen[1]
    assert seen[0][1]["x-frame-options"] == "DENY"


def test_header_of_a_view_wins_over_the_common_one(short_app: Flask) -> None:
    found, made = (short_app.test_client().get(path) for path in ("/found", "/made"))
    assert (found.headers["Cache-Control"], made.headers["Cache-Control"]) == ("no-store", "private")


def test_request_without_an_id_is_given_one(short_app: Flask) -> None:
    answer = short_app.test_client().get("/whoami", headers={"X-Request-ID": "with a blank"})
    assert re.fullmatch("[0-9a-f]{32}", answer.text)
    assert answer.headers["X-Request-ID"] == answer.text


def test_unexpected_error_is_rendered_without_its_detail(short_app: Flask) -> None:
    answer = short_app.test_client().get("/bug")
    assert (answer.status_code, json.loads(answer.data)["code"]) == (500, "internal_error")
    assert "secret detail" not in answer.text


def test_unknown_methods_share_one_label(short_app: Flask) -> None:
    for method in ("BREW", "WHEN"):
        assert short_app.test_client().open("/found", method=method).status_code == 405
    metrics = Client(short_app.extensions["operator_app"]).get("/metrics").text
    assert 'fastcheck_request_seconds_count{method="other",route="(none)",status="405"}' in metrics
    assert "BREW" not in metrics
