"""A direct route answers as Flask would: in status, headers and body, whatever happens in its view."""

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
def direct_way() -> Flask:
    return _app(direct)


@pytest.fixture(scope="module")
def long_way() -> Flask:
    return _app(lambda endpoint: endpoint)


def _seen(answer: TestResponse) -> tuple[int, dict[str, str], bytes]:
    return answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, answer.data


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_both_ways_give_the_same_answer(direct_way: Flask, long_way: Flask, name: str, method: str) -> None:
    def ask(app: Flask) -> TestResponse:
        return app.test_client().open(f"/{name}", method=method, data=b"0123", headers={"X-Request-ID": "request-0001"})

    assert _seen(ask(direct_way)) == _seen(ask(long_way))


def test_the_long_way_is_not_taken_by_a_direct_route(
    direct_way: Flask, long_way: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("Flask was asked")

    monkeypatch.setattr(Flask, "wsgi_app", refuse)
    assert direct_way.test_client().get("/found").status_code == 200
    with pytest.raises(AssertionError, match="Flask was asked"):
        long_way.test_client().get("/found")


@pytest.mark.parametrize(
    ("method", "path"), [("HEAD", "/found"), ("OPTIONS", "/found"), ("PUT", "/found"), ("GET", "/")]
)
def test_what_is_not_exactly_a_direct_route_goes_the_long_way(
    direct_way: Flask, long_way: Flask, method: str, path: str
) -> None:
    headers = {"X-Request-ID": "request-0001"}
    seen = [_seen(app.test_client().open(path, method=method, headers=headers)) for app in (direct_way, long_way)]
    assert seen[0] == seen[1]
    assert seen[0][1]["x-frame-options"] == "DENY"


def test_an_answer_of_its_own_beats_the_common_headers(direct_way: Flask) -> None:
    found, made = (direct_way.test_client().get(path) for path in ("/found", "/made"))
    assert (found.headers["Cache-Control"], made.headers["Cache-Control"]) == ("no-store", "private")


def test_a_request_without_an_id_is_given_one(direct_way: Flask) -> None:
    answer = direct_way.test_client().get("/whoami", headers={"X-Request-ID": "with a blank"})
    assert re.fullmatch("[0-9a-f]{32}", answer.text)
    assert answer.headers["X-Request-ID"] == answer.text


def test_a_bug_is_told_as_ours_and_nothing_of_it(direct_way: Flask) -> None:
    answer = direct_way.test_client().get("/bug")
    assert (answer.status_code, json.loads(answer.data)["code"]) == (500, "internal_error")
    assert "secret detail" not in answer.text


def test_methods_that_nobody_knows_are_counted_as_one(direct_way: Flask) -> None:
    for method in ("BREW", "WHEN"):
        assert direct_way.test_client().open("/found", method=method).status_code == 405
    metrics = direct_way.test_client().get("/metrics").text
    assert 'fastcheck_request_seconds_count{method="other",route="(none)",status="405"}' in metrics
    assert "BREW" not in metrics
