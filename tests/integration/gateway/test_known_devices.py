"""Sign-ins on devices that are known, through the gateway to accounts."""

import pytest

from services.gateway.models import Limit
from tests.integration.gateway.conftest import PASSWORD, Gateway, Stack

WRONG = {"login": "alice", "password": "wrong horse battery"}
RIGHT = {"login": "alice", "password": PASSWORD}


def device_cookie(gateway: Gateway, path: str = "/register", login: str = "alice") -> str:
    response = gateway.post(path, {"login": login, "password": PASSWORD})
    assert response.status_code in (200, 201), response.text
    return response.headers["Set-Cookie"].split(";")[0]


def test_sign_in_and_registration_give_a_cookie_and_failures_do_not(gateway: Gateway) -> None:
    assert device_cookie(gateway).startswith("fastcheck_device_")
    assert device_cookie(gateway, "/login").startswith("fastcheck_device_")
    assert "Set-Cookie" not in gateway.post("/login", WRONG).headers
    assert "Set-Cookie" not in gateway.post("/register", RIGHT).headers


def test_device_keeps_its_name_and_each_new_one_gets_another(gateway: Gateway) -> None:
    first = device_cookie(gateway)
    again = gateway.post("/login", RIGHT, Cookie=first).headers["Set-Cookie"].split(";")[0]
    other = device_cookie(gateway, "/login")
    proven = gateway.context.devices.proven
    assert proven(first) == proven(again) != proven(other)


def test_device_of_another_user_gets_a_cookie_of_its_own(gateway: Gateway) -> None:
    first = device_cookie(gateway)
    body = {"login": "bob", "password": PASSWORD}
    second = gateway.post("/register", body, Cookie=first).headers["Set-Cookie"].split(";")[0]
    proven = gateway.context.devices.proven
    assert first.partition("=")[0] != second.partition("=")[0]
    assert proven(first)[0].user_id != proven(second)[0].user_id
    assert len(proven(f"{first}; {second}")) == 2


def test_client_cannot_name_a_known_device_itself(gateway: Gateway) -> None:
    cookie = device_cookie(gateway)
    device = gateway.context.devices.proven(cookie)[0]
    named = f"{device.user_id}/{device.device_id}"
    responses = [gateway.post("/login", WRONG, X_Known_Devices=named).status_code for _ in range(11)]
    assert responses == [401] * 11, "a device's eleventh failure would be refused"
    responses = [gateway.post("/login", WRONG, Cookie=cookie).status_code for _ in range(11)]
    assert responses == [401] * 10 + [429]


def test_known_device_signs_in_while_its_address_has_used_up_the_rate(stack: Stack) -> None:
    gateway = stack.gateway(rate_limit_password=Limit(per_minute=1, burst=3))
    cookie = device_cookie(gateway)
    assert [gateway.post("/login", WRONG).status_code for _ in range(4)] == [401] * 3 + [429]
    assert gateway.post("/login", RIGHT).status_code == 429
    assert [gateway.post("/login", RIGHT, Cookie=cookie).status_code for _ in range(4)] == [200] * 3 + [429]


@pytest.mark.parametrize("cookie", ["fastcheck_device_1=x", "\xff", "a=b; c"])
def test_other_cookies_change_nothing(gateway: Gateway, cookie: str) -> None:
    gateway.register()
    assert gateway.post("/login", RIGHT, Cookie=cookie).status_code == 200
