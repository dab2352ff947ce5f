"""What reaches a service, what comes back, and what happens when nothing does."""

import io
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from werkzeug import Response
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder

from common.http.server.identity import Caller, TokenVerifier
from tests.integration.gateway.conftest import PASSWORD, Gateway, Stack
from tests.support.eventually import eventually

LIMIT = 64 * 1024


def caller(stack: Stack, service: str) -> Caller:
    return TokenVerifier(service, stack.secrets.public_keys()).verify(stack.recorder.last.headers["Authorization"])


def environ_of(path: str, session: str, method: str = "GET") -> dict[str, Any]:
    headers = Headers([("Authorization", f"Bearer {session}")])
    return EnvironBuilder(path, method=method, headers=headers).get_environ()


def test_body_and_query_arrive_as_they_were_sent(stack: Stack, gateway: Gateway) -> None:
    session = gateway.register()
    body = b'{ "amount" : 1e2,\r\n "note":"\xd0\xaf\x00\xff" }'
    headers = {
        "Content_Type": "application/json; charset=x",
        "Idempotency_Key": "a key?!~",
        "X_Request_ID": "my-request-0001",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    answer = gateway.post("/fastcheck?a=%2F%ff&b=+c&a=2", body, session, **headers)
    heard = stack.recorder.last
    assert (heard.method, heard.path, heard.raw_query, heard.body) == (
        "POST",
        "/fastcheck",
        b"a=%2F%ff&b=+c&a=2",
        body,
    )
    for name, value in headers.items():
        assert heard.headers[name.replace("_", "-").title()] == value
    assert answer.headers["X-Request-ID"] == "my-request-0001"


def test_the_service_is_told_who_calls_by_a_token_and_learns_no_session(stack: Stack, gateway: Gateway) -> None:
    session = gateway.register()
    user_id = UUID(gateway.get("/me", session).get_json()["userID"])
    for path, service in (("/fastcheck/active", "checks"), ("/topup", "payments")):
        gateway.get(path, session)
        assert caller(stack, service) == Caller("gateway", user_id)
        assert session not in str(stack.recorder.last)


def test_headers_that_mean_something_inside_cannot_be_sent_from_outside(stack: Stack, gateway: Gateway) -> None:
    session = gateway.register()
    forged = {"X_Session_Hash": "0" * 64, "X_Client_Address": "6.6.6.6", "Cookie": "a=b", "X_Forwarded_For": "6.6.6.6"}
    gateway.get("/fastcheck/active", session, **forged)
    assert not {name.replace("_", "-") for name in forged} & set(stack.recorder.last.headers)
    gateway.post("/bank/webhook/tbank", b"{}", **forged)
    assert stack.recorder.last.headers["X-Client-Address"] == "127.0.0.1"
    assert not {"X-Session-Hash", "Cookie", "X-Forwarded-For"} & set(stack.recorder.last.headers)


@pytest.mark.parametrize(
    ("sent", "arrives"),
    [
        ("/fastcheck/1234-5678-0001/cancel", "/fastcheck/1234-5678-0001/cancel"),
        ("/fastcheck/%D1%8F%20%25%3F%23/cancel", "/fastcheck/я %?#/cancel"),
        ("/fastcheck/../cancel", "/fastcheck/../cancel"),
        ("/fastcheck/a%0D%0Ab/cancel", "/fastcheck/a\r\nb/cancel"),
    ],
)
def test_whatever_stands_in_a_path_arrives(stack: Stack, gateway: Gateway, sent: str, arrives: str) -> None:
    session = gateway.register()
    assert gateway.post(sent, {}, session).status_code == 200
    assert stack.recorder.last.path == arrives


def test_a_query_that_is_not_proper_is_made_so(stack: Stack, gateway: Gateway) -> None:
    session = gateway.register()
    environ = {**environ_of("/fastcheck/history", session), "QUERY_STRING": 'x=\xd1\x8f "<y>'}
    assert gateway.send(environ)[0] == 200
    assert stack.recorder.last.raw_query == b"x=%D1%8F%20%22%3Cy%3E"


def test_the_answer_comes_back_as_it_was_given(stack: Stack, gateway: Gateway) -> None:
    session = gateway.register()
    passed_on = {
        "Content-Type": "image/svg+xml",
        "Cache-Control": "private, max-age=60",
        "Idempotency-Replayed": "true",
        "Retry-After": "17",
        "Location": "https://shop.test/back?x=1",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    }
    kept_inside = {"Set-Cookie": "a=b", "X-Internal": "1", "Server": "secret/1.0"}
    stack.recorder.answer = lambda: Response(b"<svg>\xff</svg>", 429, {**passed_on, **kept_inside})
    answer = gateway.get("/fastcheck/1234-5678-0001/qr.svg", session)
    assert (answer.status_code, answer.data) == (429, b"<svg>\xff</svg>")
    assert passed_on.items() <= dict(answer.headers).items()
    assert not {"Set-Cookie", "X-Internal"} & set(answer.headers.keys())
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_an_answer_that_says_nothing_of_it_is_not_to_be_kept(stack: Stack, gateway: Gateway) -> None:

    def nothing() -> Response:
        response = Response(status=204)
        del response.headers["Content-Type"]
        return response

    stack.recorder.answer = nothing
    answer = gateway.get("/fastcheck/active", gateway.register())
    assert (answer.status_code, answer.data) == (204, b"")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Content-Type" not in answer.headers


def test_a_notification_of_a_bank_arrives_with_its_bytes_its_headers_and_its_address(stack: Stack) -> None:
    gateway = stack.gateway(trusted_proxies=1)
    body = b'{"b":1,  "a":2}\n'
    headers = {
        "Signature": "abc",
        "User_Agent": "bank/1",
        "Content_Type": "text/weird",
        "X_Forwarded_For": "185.71.76.5",
    }
    assert gateway.post("/bank/webhook/tbank?q=1", body, **headers).status_code == 200
    heard = stack.recorder.last
    assert (heard.method, heard.path, heard.raw_query, heard.body) == ("POST", "/bank/webhook/tbank", b"q=1", body)
    assert heard.headers["X-Client-Address"] == "185.71.76.5"
    assert (heard.headers["Signature"], heard.headers["User-Agent"]) == ("abc", "bank/1")
    assert heard.headers["Content-Type"] == "text/weird"
    assert caller(stack, "payments") == Caller("gateway", None)
    assert gateway.get("/bank/webhook/sber?mdOrder=1&checksum=AB").status_code == 200
    assert (stack.recorder.last.method, stack.recorder.last.raw_query) == ("GET", b"mdOrder=1&checksum=AB")


def test_the_browser_comes_back_from_the_bank_without_a_session(stack: Stack, gateway: Gateway) -> None:
    stack.recorder.answer = lambda: Response(status=303, headers={"Location": "https://shop.test/"})
    answer = gateway.get("/topup/1/return?Success=true")
    assert (answer.status_code, answer.headers["Location"]) == (303, "https://shop.test/")


def test_a_body_of_64_kib_passes_and_a_byte_more_does_not(stack: Stack, gateway: Gateway) -> None:
    session = gateway.register()
    assert gateway.post("/fastcheck", b"x" * LIMIT, session).status_code == 200
    assert stack.recorder.last.body == b"x" * LIMIT
    for size in (LIMIT + 1, LIMIT + 2, 10 * LIMIT):
        answer = gateway.post("/fastcheck", b"x" * size, session)
        assert answer.status_code == 413
        assert set(answer.get_json()) == {"message", "code"}
    assert len(stack.recorder.heard) == 1


@pytest.mark.parametrize(("size", "status"), [(LIMIT, 200), (LIMIT + 1, 413), (10 * LIMIT, 413)])
def test_a_body_that_does_not_tell_its_length_is_bounded_just_the_same(
    stack: Stack, gateway: Gateway, size: int, status: int
) -> None:
    environ = {
        **environ_of("/fastcheck", gateway.register(), "POST"),
        "wsgi.input": io.BytesIO(b"x" * size),
        "wsgi.input_terminated": True,
    }
    environ.pop("CONTENT_LENGTH", None)
    assert gateway.send(environ)[0] == status
    assert [len(heard.body) for heard in stack.recorder.heard] == ([size] if status == 200 else [])


def test_a_service_that_is_down_is_come_again_and_the_others_go_on(stack: Stack) -> None:
    gateway = stack.gateway(checks_url="http://127.0.0.1:1")
    session = gateway.register()
    answer = gateway.post("/fastcheck", {"amount": 1}, session)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.get_json()["code"] == "temporarily_unavailable"
    assert gateway.get("/balance", session).status_code == 200


def test_a_service_that_does_not_answer_is_not_waited_for_for_ever(stack: Stack) -> None:
    patient = stack.gateway()
    session = patient.register()
    assert patient.get("/me", session).status_code == 200  # from here on the session is in the cache
    gateway = stack.gateway(http_timeout_seconds=0.2)
    stop = threading.Event()

    def wait() -> Response:
        stop.wait(30)
        return Response()

    stack.recorder.answer = wait
    started = time.monotonic()
    try:
        assert gateway.get("/fastcheck/active", session).status_code == 503
        assert time.monotonic() - started < 2
    finally:
        stop.set()


def test_slow_bodies_do_not_get_all_threads(stack: Stack) -> None:
    gateway = stack.gateway(bodies_at_once=2)
    session = gateway.register()
    arrives = threading.Event()

    class SlowBody:
        """A client who sends his headers, and then nothing for a long time."""

        def read(self, _size: int = -1) -> bytes:
            arrives.wait(30)
            return b""

    def post_slowly(_: int) -> int:
        environ = {**environ_of("/fastcheck", session, "POST"), "wsgi.input": SlowBody(), "wsgi.input_terminated": True}
        environ.pop("CONTENT_LENGTH", None)
        return gateway.send(environ)[0]

    with ThreadPoolExecutor(2) as pool:
        slow = [pool.submit(post_slowly, number) for number in range(2)]
        eventually(lambda: gateway.context.body_slots._value == 0)
        assert gateway.post("/fastcheck", {}, session).status_code == 503
        assert gateway.get("/balance", session).status_code == 200
        arrives.set()
        assert [one.result() for one in slow] == [200, 200]
    assert gateway.post("/fastcheck", {}, session).status_code == 200


def test_passwords_do_not_get_all_threads(stack: Stack) -> None:
    gateway = stack.gateway(passwords_at_once=1)
    session = gateway.register()
    gateway.context.password_slots.acquire()
    body = {"login": "anna", "password": PASSWORD}
    assert gateway.post("/login", body).status_code == 503
    assert gateway.post("/me/password", {}, session).status_code == 503
    assert gateway.get("/balance", session).status_code == 200
    gateway.context.password_slots.release()
    assert gateway.post("/login", body).status_code == 200


def test_a_request_id_is_given_to_who_brings_none_or_a_bad_one(stack: Stack, gateway: Gateway) -> None:
    session = gateway.register()
    given = {gateway.get("/fastcheck/active", session).headers["X-Request-ID"] for _ in range(2)}
    given |= {
        gateway.get("/nothing", X_Request_ID=bad).headers["X-Request-ID"] for bad in ("short", "x" * 65, "a b c d e f")
    }
    assert len(given) == 5
    assert all(len(request_id) == 32 for request_id in given)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("DELETE", "/balance", 405), ("POST", "/balance", 405), ("GET", "/login", 405), ("GET", "/x", 404)],
)
def test_what_is_not_there_is_said_so_in_json(gateway: Gateway, method: str, path: str, status: int) -> None:
    answer = gateway.client.open(path, method=method)
    assert answer.status_code == status
    assert set(answer.get_json()) == {"message", "code"}
