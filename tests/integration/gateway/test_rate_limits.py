"""Rate limits, which all gateway processes share."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from werkzeug.test import TestResponse

from services.gateway.models import Limit
from services.gateway.operation_catalog import OPERATIONS
from tests.integration.gateway.conftest import PASSWORD, Gateway, Stack
from tests.support.eventually import eventually

UNKNOWN = "1AF3781BF6B94604B771AEA1D44FA63A"
#: Requests per minute, so few that nothing refills within a test.
SLOW = 1


def refused(response: TestResponse) -> bool:
    if response.status_code != 429:
        return False
    assert response.get_json()["code"] == "too_many_requests"
    assert 1 <= int(response.headers["Retry-After"]) <= 60
    assert response.headers["X-Request-ID"]
    return True


def test_user_is_limited_after_the_burst_and_others_are_not(stack: Stack) -> None:
    gateway = stack.gateway(rate_limit_read=Limit(SLOW, 3))
    user, other_user = gateway.register(), gateway.register("bob")
    assert [refused(gateway.get("/balance", user)) for _ in range(5)] == [False] * 3 + [True] * 2
    assert refused(gateway.get("/me", user)), "all reads are counted together"
    assert not refused(gateway.get("/balance", other_user))
    assert not refused(gateway.post("/logout", session=user)), "changes have a limit of their own"


def test_sessions_of_one_user_share_a_limit(stack: Stack) -> None:
    gateway = stack.gateway(rate_limit_read=Limit(SLOW, 2))
    sessions = [gateway.register(), gateway.log_in(), gateway.log_in()]
    assert [refused(gateway.get("/balance", session)) for session in sessions] == [False, False, True]


def test_changes_are_limited(stack: Stack) -> None:
    gateway = stack.gateway(rate_limit_write=Limit(SLOW, 2))
    session = gateway.register()
    assert [refused(gateway.post("/fastcheck", {}, session)) for _ in range(3)] == [False, False, True]
    assert len(stack.recorder.requests) == 2, "a limited request does not reach the service"


def test_limit_refills_with_time(stack: Stack) -> None:
    gateway = stack.gateway(rate_limit_read=Limit(per_minute=600, burst=2))
    session = gateway.register()
    while not refused(gateway.get("/balance", session)):
        pass
    eventually(lambda: not refused(gateway.get("/balance", session)), timeout=5)


def test_processes_share_a_limit_under_concurrency(stack: Stack) -> None:
    gateways = [stack.gateway(rate_limit_read=Limit(SLOW, 20)) for _ in range(2)]
    session = gateways[0].register()
    with ThreadPoolExecutor(16) as pool:
        responses = list(pool.map(lambda number: gateways[number % 2].get("/balance", session), range(64)))
    assert [refused(response) for response in responses].count(False) == 20


@pytest.mark.parametrize("path", ["/register", "/login"])
def test_requests_without_a_session_are_limited_by_address(stack: Stack, path: str) -> None:
    limits = dict.fromkeys(("rate_limit_password", "rate_limit_register"), Limit(SLOW, 2))
    gateway = stack.gateway(**limits, client_address_header="ClientAddress")
    body = {"login": "unknown", "password": PASSWORD}
    responses = [gateway.post(path, body, ClientAddress=address) for address in ("192.0.2.1",) * 3 + ("192.0.2.2",)]
    assert [refused(response) for response in responses] == [False, False, True, False]


def test_forwarding_header_of_an_untrusted_client_is_ignored(stack: Stack) -> None:
    gateway = stack.gateway(rate_limit_password=Limit(SLOW, 2))
    body = {"login": "unknown", "password": PASSWORD}
    responses = [gateway.post("/login", body, X_Forwarded_For=f"192.0.2.{number}") for number in range(3)]
    assert [refused(response) for response in responses] == [False, False, True]


def test_unknown_sessions_are_limited_before_accounts_is_called(stack: Stack) -> None:
    gateway = stack.gateway(rate_limit_guest=Limit(SLOW, 3))
    session = gateway.register()
    assert gateway.is_authorized(session)
    responses = [gateway.get("/balance", UNKNOWN) for _ in range(4)]
    assert [response.status_code for response in responses] == [401, 401, 401, 429]
    assert gateway.is_authorized(session), "the limit does not affect a valid session"


def test_bank_notifications_are_not_limited(stack: Stack) -> None:
    limits = dict.fromkeys(("rate_limit_guest", "rate_limit_write", "rate_limit_password"), Limit(SLOW, 1))
    gateway = stack.gateway(**limits)
    assert {gateway.post("/bank/webhook/tbank", b"{}").status_code for _ in range(5)} == {200}
    assert not refused(gateway.get("/topup/1/return"))
    assert refused(gateway.get("/topup/1/return"))


def test_limits_can_be_disabled(stack: Stack) -> None:
    limits = dict.fromkeys(("rate_limit_read", "rate_limit_guest", "rate_limit_password"), Limit(SLOW, 1))
    gateway = stack.gateway(rate_limit_enabled=False, **limits)
    session = gateway.register()
    assert not any(refused(gateway.get("/balance", session)) for _ in range(5))
    assert {gateway.get("/balance", UNKNOWN).status_code for _ in range(5)} == {401}


def test_no_request_is_limited_without_redis(stack: Stack, gateway: Gateway) -> None:
    session = gateway.register()
    down = stack.gateway(
        cache_url="redis://127.0.0.1:1/1", rate_limit_read=Limit(SLOW, 1), rate_limit_password=Limit(SLOW, 1)
    )
    assert not any(refused(down.get("/balance", session)) for _ in range(3))
    assert down.log_in() != down.log_in()


def test_new_accounts_of_one_address_are_limited_apart_from_sign_ins(stack: Stack) -> None:
    gateway = stack.gateway(rate_limit_register=Limit(SLOW, 2))
    responses = [gateway.post("/register", {"login": f"user-{n}", "password": PASSWORD}) for n in range(3)]
    assert [refused(response) for response in responses] == [False, False, True]
    assert gateway.post("/login", {"login": "user-0", "password": PASSWORD}).status_code == 200


def test_new_topups_of_one_user_are_limited_apart_from_other_changes(stack: Stack) -> None:
    gateway = stack.gateway(rate_limit_topup=Limit(SLOW, 2))
    alice, bob = gateway.register(), gateway.register("bob")
    assert [refused(gateway.post("/topup", {}, alice)) for _ in range(3)] == [False, False, True]
    assert not refused(gateway.post("/fastcheck", {}, alice))
    assert not refused(gateway.post("/topup", {}, bob))


def limit_of(response: TestResponse) -> tuple[str, str, int]:
    """Return the policy, what remains, and the seconds until the limit is unused, or the next request is allowed."""
    remaining, seconds = response.headers["RateLimit"].split(";t=")
    return response.headers["RateLimit-Policy"], remaining, int(seconds)


def test_responses_report_the_limit_that_they_counted_against(stack: Stack) -> None:
    gateway = stack.gateway(rate_limit_read=Limit(SLOW, 3), rate_limit_write=Limit(SLOW, 2))
    session = gateway.register()
    reads = [limit_of(gateway.get("/balance", session)) for _ in range(4)]
    assert [read[:2] for read in reads] == [('"read";q=3;w=180', f'"read";r={left}') for left in (2, 1, 0, 0)]
    for (_, _, seconds), most in zip(reads, (60, 120, 180, 60), strict=True):
        assert most - 30 < seconds <= most
    write = gateway.post("/fastcheck", {}, session)
    assert limit_of(write)[:2] == ('"write";q=2;w=120', '"write";r=1')


def test_rejected_request_reports_when_the_next_is_allowed(stack: Stack) -> None:
    gateway = stack.gateway(rate_limit_read=Limit(SLOW, 1))
    session = gateway.register()
    gateway.get("/balance", session)
    response = gateway.get("/balance", session)
    assert refused(response)
    assert limit_of(response) == ('"read";q=1;w=60', '"read";r=0', int(response.headers["Retry-After"]))


def test_errors_report_the_limit_too(stack: Stack) -> None:
    gateway = stack.gateway(rate_limit_guest=Limit(SLOW, 4), rate_limit_password=Limit(SLOW, 5))
    unknown = gateway.get("/balance", UNKNOWN)
    assert (unknown.status_code, unknown.get_json()) == (401, {"message": "not authorized"})
    assert limit_of(unknown)[:2] == ('"guest";q=4;w=240', '"guest";r=3')
    invalid = gateway.post("/login", {"login": 1}, Accept="application/problem+json")
    assert (invalid.status_code, invalid.mimetype) == (400, "application/problem+json")
    assert limit_of(invalid)[:2] == ('"password";q=5;w=300', '"password";r=4')


def test_request_that_counts_against_no_limit_reports_none(stack: Stack) -> None:
    gateway = stack.gateway(rate_limit_enabled=False)
    session = gateway.register()
    down = stack.gateway(cache_url="redis://127.0.0.1:1/1")
    responses = [
        gateway.get("/balance", session),
        gateway.get("/balance", UNKNOWN),
        gateway.get("/balance"),
        down.get("/balance", session),
        stack.gateway().post("/bank/webhook/tbank", b"{}"),
    ]
    for response in responses:
        assert {"RateLimit", "RateLimit-Policy"}.isdisjoint(response.headers.keys())


def test_every_operation_that_declares_the_headers_sends_them(stack: Stack) -> None:
    """With an id in place of every value of the path; the recorder responds for the services."""
    gateway = stack.gateway()
    gateway.register()
    for (method, path), entry in OPERATIONS.items():
        # Signing out, which is one of them, ends the session.
        session = gateway.log_in()
        target = re.sub(r"\{[^}]+\}", "1", path)
        response = gateway.client.open(target, method=method, json={}, headers={"Authorization": f"Bearer {session}"})
        sent = {"RateLimit", "RateLimit-Policy"} & set(response.headers.keys())
        assert len(sent) == (2 if entry.has_rate_limit else 0), (method, path, response.status)
