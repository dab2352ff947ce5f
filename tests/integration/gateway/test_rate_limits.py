"""How often one may come, counted for all gateway processes together."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from werkzeug.test import TestResponse

from services.gateway.models import Limit
from tests.integration.gateway.conftest import PASSWORD, Gateway, Stack
from tests.support.eventually import eventually

UNKNOWN = "1AF3781BF6B94604B771AEA1D44FA63A"
#: So slow that within a test nothing is given back.
SLOW = 1


def refused(answer: TestResponse) -> bool:
    if answer.status_code != 429:
        return False
    assert answer.get_json()["code"] == "too_many_requests"
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert answer.headers["X-Request-ID"]
    return True


def test_a_user_is_refused_after_his_burst_and_nobody_else(stack: Stack) -> None:
    gateway = stack.gateway(rate_limit_read=Limit(SLOW, 3))
    anna, boris = gateway.register(), gateway.register("boris")
    assert [refused(gateway.get("/balance", anna)) for _ in range(5)] == [False] * 3 + [True] * 2
    assert refused(gateway.get("/me", anna)), "all reads are counted together"
    assert not refused(gateway.get("/balance", boris))
    assert not refused(gateway.post("/logout", session=anna)), "what changes something is counted apart"


def test_sessions_of_one_user_are_counted_together_from_the_first_request_on(stack: Stack) -> None:
    gateway = stack.gateway(rate_limit_read=Limit(SLOW, 2))
    sessions = [gateway.register(), gateway.log_in(), gateway.log_in()]
    assert [refused(gateway.get("/balance", session)) for session in sessions] == [False, False, True]


def test_changes_are_limited_too(stack: Stack) -> None:
    gateway = stack.gateway(rate_limit_write=Limit(SLOW, 2))
    session = gateway.register()
    assert [refused(gateway.post("/fastcheck", {}, session)) for _ in range(3)] == [False, False, True]
    assert len(stack.recorder.heard) == 2, "who is refused does not get through"


def test_what_was_used_up_comes_back_with_time(stack: Stack) -> None:
    gateway = stack.gateway(rate_limit_read=Limit(per_minute=600, burst=2))
    session = gateway.register()
    while not refused(gateway.get("/balance", session)):
        pass
    eventually(lambda: not refused(gateway.get("/balance", session)), timeout=5)


def test_of_many_at_once_exactly_the_burst_gets_through_over_all_processes(stack: Stack) -> None:
    gateways = [stack.gateway(rate_limit_read=Limit(SLOW, 20)) for _ in range(2)]
    session = gateways[0].register()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda number: gateways[number % 2].get("/balance", session), range(64)))
    assert [refused(answer) for answer in answers].count(False) == 20


@pytest.mark.parametrize("path", ["/register", "/login"])
def test_who_has_no_session_is_counted_by_address(stack: Stack, path: str) -> None:
    gateway = stack.gateway(rate_limit_password=Limit(SLOW, 2), trusted_proxies=1)
    body = {"login": "nobody", "password": PASSWORD}
    answers = [gateway.post(path, body, X_Forwarded_For=address) for address in ("192.0.2.1",) * 3 + ("192.0.2.2",)]
    assert [refused(answer) for answer in answers] == [False, False, True, False]


def test_a_header_that_no_proxy_of_ours_wrote_gives_nobody_another_address(stack: Stack) -> None:
    gateway = stack.gateway(rate_limit_password=Limit(SLOW, 2))
    body = {"login": "nobody", "password": PASSWORD}
    answers = [gateway.post("/login", body, X_Forwarded_For=f"192.0.2.{number}") for number in range(3)]
    assert [refused(answer) for answer in answers] == [False, False, True]


def test_who_sends_false_sessions_is_refused_before_accounts_is_asked(stack: Stack) -> None:
    gateway = stack.gateway(rate_limit_guest=Limit(SLOW, 3))
    session = gateway.register()
    assert gateway.is_welcome(session)
    answers = [gateway.get("/balance", UNKNOWN) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
    assert gateway.is_welcome(session), "who is known is not touched by that"


def test_banks_are_not_limited(stack: Stack) -> None:
    limits = dict.fromkeys(("rate_limit_guest", "rate_limit_write", "rate_limit_password"), Limit(SLOW, 1))
    gateway = stack.gateway(**limits)
    assert {gateway.post("/bank/webhook/tbank", b"{}").status_code for _ in range(5)} == {200}
    assert not refused(gateway.get("/topup/1/return"))
    assert refused(gateway.get("/topup/1/return"))


def test_limits_can_be_switched_off(stack: Stack) -> None:
    limits = dict.fromkeys(("rate_limit_read", "rate_limit_guest", "rate_limit_password"), Limit(SLOW, 1))
    gateway = stack.gateway(rate_limit_enabled=False, **limits)
    session = gateway.register()
    assert not any(refused(gateway.get("/balance", session)) for _ in range(5))
    assert {gateway.get("/balance", UNKNOWN).status_code for _ in range(5)} == {401}


def test_without_redis_nobody_is_refused(stack: Stack, gateway: Gateway) -> None:
    session = gateway.register()
    down = stack.gateway(
        cache_url="redis://127.0.0.1:1/1", rate_limit_read=Limit(SLOW, 1), rate_limit_password=Limit(SLOW, 1)
    )
    assert not any(refused(down.get("/balance", session)) for _ in range(3))
    assert down.log_in() != down.log_in()
