"""Which sites may call the API from a browser, and what they may read."""

import re
from typing import Any

import pytest
from werkzeug.test import Client

from services.gateway.cors import EXPOSED_HEADERS, Cors, origin

APP = "https://app.example"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


def api(_environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "application/json")])
    return [b"{}"]


def public(_environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Access-Control-Allow-Origin", "*")])
    return [b"{}"]


def send(origins: tuple[str, ...], method: str, app: Any = api, **headers: str) -> Any:
    return Client(Cors(app, origins)).open("/balance", method=method, headers=headers)


def test_an_allowed_origin_may_read_the_response_and_our_headers() -> None:
    response = send((APP,), "GET", Origin=APP)
    assert response.data == b"{}"
    assert response.headers["Access-Control-Allow-Origin"] == APP
    assert response.headers["Vary"] == "Origin"
    assert response.headers["Access-Control-Expose-Headers"] == EXPOSED_HEADERS


def test_a_preflight_is_answered_without_the_application() -> None:
    response = send((APP,), "OPTIONS", Origin=APP, **PREFLIGHT)
    assert (response.status_code, response.data) == (204, b"")
    assert response.headers["Access-Control-Allow-Origin"] == APP
    assert response.headers["Access-Control-Allow-Methods"] == "GET, POST, DELETE"
    allowed = {name.strip().lower() for name in response.headers["Access-Control-Allow-Headers"].split(",")}
    assert {"authorization", "content-type", "idempotency-key", "if-none-match"} <= allowed


@pytest.mark.parametrize("origins", [(), (APP,)])
@pytest.mark.parametrize("asking", ["https://evil.example", "null", APP + ".evil.example", "http://app.example"])
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_other_origins_are_told_nothing(origins: tuple[str, ...], asking: str, method: str) -> None:
    response = send(origins, method, Origin=asking, **(PREFLIGHT if method == "OPTIONS" else {}))
    assert not [name for name in response.headers.keys() if name.startswith("Access-Control")]  # noqa: SIM118
    assert response.headers["Vary"] == "Origin"


def test_a_request_without_origin_is_unchanged() -> None:
    assert list(send((APP,), "GET").headers.keys()) == ["Content-Type"]


@pytest.mark.parametrize("origins", [(APP,), ("*",)])
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_credentials_are_never_allowed(origins: tuple[str, ...], method: str) -> None:
    response = send(origins, method, Origin=APP, **(PREFLIGHT if method == "OPTIONS" else {}))
    assert "Access-Control-Allow-Credentials" not in response.headers


def test_any_origin_gets_a_star_that_caches_may_share() -> None:
    response = send(("*",), "GET", Origin="https://any.example")
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "Vary" not in response.headers


def test_a_response_that_is_public_already_keeps_its_header() -> None:
    response = send((APP,), "GET", public, Origin=APP)
    assert response.headers.getlist("Access-Control-Allow-Origin") == ["*"]


@pytest.mark.parametrize(
    "value", ["app.example", "https://app.example/", "https://app.example/x", "ftp://a", "https://"]
)
def test_a_setting_that_is_no_origin_is_rejected(value: str) -> None:
    with pytest.raises(ValueError, match=re.escape(value)):
        origin(value)


def test_an_origin_is_lower_case_as_browsers_send_it() -> None:
    assert origin("https://App.Example:8443") == "https://app.example:8443"
