"""The gateway as other sites and other clients see it: CORS, problem details, Russian messages."""

from typing import Any

import pytest

from tests.integration.gateway.conftest import Gateway, Stack

SITE = "https://app.example"
PROBLEM = "application/problem+json"


@pytest.fixture
def open_gateway(stack: Stack) -> Gateway:
    return stack.gateway(cors_origins=(SITE,))


def test_a_listed_site_can_sign_in_and_read_the_balance(open_gateway: Gateway) -> None:
    for path in ("/register", "/balance", "/fastcheck/1234-5678-0001/cancel"):
        preflight = open_gateway.client.open(
            path, method="OPTIONS", headers={"Origin": SITE, "Access-Control-Request-Method": "POST"}
        )
        assert (preflight.status_code, preflight.headers["Access-Control-Allow-Origin"]) == (204, SITE)
    session = open_gateway.register()
    for response in (open_gateway.get("/balance", session, Origin=SITE), open_gateway.get("/balance", Origin=SITE)):
        assert response.headers["Access-Control-Allow-Origin"] == SITE
        assert "X-Request-ID" in response.headers["Access-Control-Expose-Headers"]


def test_by_default_no_other_site_can_read_anything(gateway: Gateway) -> None:
    response = gateway.get("/balance", gateway.register(), Origin=SITE)
    assert response.status_code == 200
    assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize("path", ["/login", "/nothing/here"])
def test_errors_of_the_gateway_and_of_services_are_problem_details_on_request(gateway: Gateway, path: str) -> None:
    body: Any = {"login": "unknown-login", "password": "wrong horse battery"}
    plain = gateway.post(path, body).get_json()
    response = gateway.post(path, body, Accept=f"application/json, {PROBLEM}")
    problem = response.get_json(force=True)
    assert response.content_type == PROBLEM
    assert (problem["detail"], problem["code"]) == (plain["message"], plain["code"])
    assert (problem["status"], problem["requestID"]) == (response.status_code, response.headers["X-Request-ID"])


def test_messages_are_russian_on_request_and_the_fixed_body_stays(gateway: Gateway) -> None:
    body = {"login": "unknown-login", "password": "wrong horse battery"}
    assert gateway.post("/login", body, Accept_Language="ru-RU,ru;q=0.9").get_json() == {
        "message": "Неверный логин или пароль",
        "code": "wrong_credentials",
    }
    for header in ({}, {"Accept_Language": "ru"}):
        assert gateway.get("/balance", **header).get_json() == {"message": "not authorized"}


def test_a_short_password_is_a_wrong_one(gateway: Gateway) -> None:
    gateway.register("anna")
    for login in ("anna", "unknown-login"):
        for password in ("", "short"):
            response = gateway.post("/login", {"login": login, "password": password})
            expected = {"message": "wrong login or password", "code": "wrong_credentials"}
            assert (response.status_code, response.get_json()) == (401, expected)
    assert gateway.post("/register", {"login": "boris", "password": "short"}).status_code == 400
