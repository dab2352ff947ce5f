"""Forwarding: the request that a service receives, the response of the client, and services that fail."""

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


def test_body_and_query_are_forwarded_unchanged(stack: Stack, gateway: Gateway) -> None:
    session = gateway.register()
    body = b'{ "amount" : 1e2,\r\n "note":"\xd0\xaf\x00\xff" }'
    headers = {
        "Content_Type": "application/json; charset=x",
        "Idempotency_Key": "a key?!~",
        "X_Request_ID": "my-request-0001",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    response = gateway.post("/fastcheck?a=%2F%ff&b=+c&a=2", body, session, **headers)
    received = stack.recorder.last
    assert (received.method, received.path, received.raw_query, received.body) == (
        "POST",
        "/fastcheck",
        b"a=%2F%ff&b=+c&a=2",
        body,
    )
    for name, value in headers.items():
        assert received.headers[name.replace("_", "-").title()] == value
    assert response.headers["X-Request-ID"] == "my-request-0001"


def test_service_receives_a_token_for_the_user_and_no_session_id(stack: Stack, gateway: Gateway) -> None:
    session = gateway.register()
    user_id = UUID(gateway.get("/me", session).get_json()["userID"])
    for path, service in (("/fastcheck/active", "checks"), ("/topup", "payments")):
        gateway.get(path, session)
        assert caller(stack, service) == Caller("gateway", user_id)
        assert session not in str(stack.recorder.last)


def test_internal_headers_from_outside_are_dropped(stack: Stack, gateway: Gateway) -> None:
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
def test_path_is_forwarded_decoded(stack: Stack, gateway: Gateway, sent: str, arrives: str) -> None:
    session = gateway.register()
    assert gateway.post(sent, {}, session).status_code == 200
    assert stack.recorder.last.path == arrives


def test_invalid_characters_of_a_query_are_percent_encoded(stack: Stack, gateway: Gateway) -> None:
    session = gateway.register()
    environ = {**environ_of("/fastcheck/history", session), "QUERY_STRING": 'x=\xd1\x8f "<y>'}
    assert gateway.send(environ)[0] == 200
    assert stack.recorder.last.raw_query == b"x=%D1%8F%20%22%3Cy%3E"


def test_response_is_returned_without_internal_headers(stack: Stack, gateway: Gateway) -> None:
    session = gateway.register()
    forwarded = {
        "Content-Type": "image/svg+xml",
        "Cache-Control": "private, max-age=60",
        "Idempotency-Replayed": "true",
        "Retry-After": "17",
        "Location": "https://shop.test/back?x=1",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    }
    dropped = {"Set-Cookie": "a=b", "X-Internal": "1", "Server": "secret/1.0"}
    stack.recorder.respond = lambda: Response(b"<svg>\xff</svg>", 429, {**forwarded, **dropped})
    response = gateway.get("/fastcheck/1234-5678-0001/qr.svg", session)
    assert (response.status_code, response.data) == (429, b"<svg>\xff</svg>")
    assert forwarded.items() <= dict(response.headers).items()
    assert not {"Set-Cookie", "X-Internal"} & set(response.headers.keys())
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_response_without_cache_control_gets_no_store(stack: Stack, gateway: Gateway) -> None:

    def nothing() -> Response:
        response = Response(status=204)
        del response.headers["Content-Type"]
        return response

    stack.recorder.respond = nothing
    response = gateway.get("/fastcheck/active", gateway.register())
    assert (response.status_code, response.data) == (204, b"")
    assert response.headers["Cache-Control"] == "no-store"
    assert "Content-Type" not in response.headers


def test_bank_notification_is_forwarded_with_its_bytes_headers_and_address(stack: Stack) -> None:
    gateway = stack.gateway(client_address_header="ClientAddress")
    body = b'{"b":1,  "a":2}\n'
    headers = {
        "Signature": "abc",
        "User_Agent": "bank/1",
        "Content_Type": "text/weird",
        "ClientAddress": "185.71.76.5",
    }
    assert gateway.post("/bank/webhook/tbank?q=1", body, **headers).status_code == 200
    received = stack.recorder.last
    assert (received.method, received.path, received.raw_query, received.body) == (
        "POST",
        "/bank/webhook/tbank",
        b"q=1",
        body,
    )
    assert received.headers["X-Client-Address"] == "185.71.76.5"
    assert (received.headers["Signature"], received.headers["User-Agent"]) == ("abc", "bank/1")
    assert received.headers["Content-Type"] == "text/weird"
    assert caller(stack, "payments") == Caller("gateway", None)
    assert gateway.get("/bank/webhook/sber?mdOrder=1&checksum=AB", ClientAddress="192.0.2.1").status_code == 200
    assert (stack.recorder.last.method, stack.recorder.last.raw_query) == ("GET", b"mdOrder=1&checksum=AB")


def test_return_from_the_bank_needs_no_session(stack: Stack, gateway: Gateway) -> None:
    stack.recorder.respond = lambda: Response(status=303, headers={"Location": "https://shop.test/"})
    response = gateway.get("/topup/1/return?Success=true")
    assert (response.status_code, response.headers["Location"]) == (303, "https://shop.test/")


def test_body_above_64_kib_is_rejected(stack: Stack, gateway: Gateway) -> None:
    session = gateway.register()
    assert gateway.post("/fastcheck", b"x" * LIMIT, session).status_code == 200
    assert stack.recorder.last.body == b"x" * LIMIT
    for size in (LIMIT + 1, LIMIT + 2, 10 * LIMIT):
        response = gateway.post("/fastcheck", b"x" * size, session)
        assert response.status_code == 413
        assert set(response.get_json()) == {"message", "code"}
    assert len(stack.recorder.requests) == 1


@pytest.mark.parametrize("path", ["/fastcheck/accept", "/fastcheck/preview"])
def test_attempt_at_a_code_carries_the_address_of_the_client(stack: Stack, path: str) -> None:
    gateway = stack.gateway(client_address_header="ClientAddress")
    session = gateway.post("/register", {"login": "alice", "password": PASSWORD}, ClientAddress="192.0.2.1").get_json()[
        "sessionID"
    ]
    forged = {"X_Client_Address": "6.6.6.6", "ClientAddress": "2001:DB8::1"}
    assert gateway.post(path, {}, session, **forged).status_code == 200
    assert stack.recorder.last.headers["X-Client-Address"] == "2001:db8::1"


@pytest.mark.parametrize("size", [0, LIMIT])
def test_body_that_does_not_declare_its_length_is_rejected(stack: Stack, gateway: Gateway, size: int) -> None:
    environ = {
        **environ_of("/fastcheck", gateway.register(), "POST"),
        "wsgi.input": io.BytesIO(b"x" * size),
        "wsgi.input_terminated": True,
        "HTTP_TRANSFER_ENCODING": "chunked",
    }
    environ.pop("CONTENT_LENGTH", None)
    assert gateway.send(environ)[0] == 411
    assert not stack.recorder.requests


def test_unreachable_service_is_reported_with_retry_after_and_the_others_respond(stack: Stack) -> None:
    gateway = stack.gateway(checks_url="http://127.0.0.1:1")
    session = gateway.register()
    response = gateway.post("/fastcheck", {"amount": 1}, session)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    assert response.get_json()["code"] == "temporarily_unavailable"
    assert gateway.get("/balance", session).status_code == 200


def test_hanging_service_is_reported_after_the_timeout(stack: Stack) -> None:
    warm_up = stack.gateway()
    session = warm_up.register()
    assert warm_up.get("/me", session).status_code == 200  # the session is cached from now on
    gateway = stack.gateway(http_timeout_seconds=0.2)
    stop = threading.Event()

    def wait() -> Response:
        stop.wait(30)
        return Response()

    stack.recorder.respond = wait
    started = time.monotonic()
    try:
        assert gateway.get("/fastcheck/active", session).status_code == 503
        assert time.monotonic() - started < 2
    finally:
        stop.set()


def test_slow_bodies_do_not_use_all_threads(stack: Stack) -> None:
    gateway = stack.gateway(bodies_at_once=2)
    session = gateway.register()
    arrives = threading.Event()

    class SlowBody:
        """A client that sends its headers and then no body for a long time."""

        def read(self, _size: int = -1) -> bytes:
            arrives.wait(30)
            return b""

    def post_slowly(_: int) -> int:
        environ = {**environ_of("/fastcheck", session, "POST"), "wsgi.input": SlowBody(), "CONTENT_LENGTH": "2"}
        return gateway.send(environ)[0]

    with ThreadPoolExecutor(2) as pool:
        slow = [pool.submit(post_slowly, number) for number in range(2)]
        eventually(lambda: gateway.context.body_slots._value == 0)
        assert gateway.post("/fastcheck", {}, session).status_code == 503
        assert gateway.get("/balance", session).status_code == 200
        arrives.set()
        assert [one.result() for one in slow] == [400, 400]
    assert gateway.post("/fastcheck", {}, session).status_code == 200


def test_password_requests_do_not_use_all_threads(stack: Stack) -> None:
    gateway = stack.gateway(passwords_at_once=1)
    session = gateway.register()
    gateway.context.password_slots.acquire()
    body = {"login": "alice", "password": PASSWORD}
    assert gateway.post("/login", body).status_code == 503
    assert gateway.post("/me/password", {}, session).status_code == 503
    assert gateway.get("/balance", session).status_code == 200
    gateway.context.password_slots.release()
    assert gateway.post("/login", body).status_code == 200


def test_missing_or_invalid_request_id_is_replaced(stack: Stack, gateway: Gateway) -> None:
    session = gateway.register()
    request_ids = {gateway.get("/fastcheck/active", session).headers["X-Request-ID"] for _ in range(2)}
    request_ids |= {
        gateway.get("/nothing", X_Request_ID=bad).headers["X-Request-ID"] for bad in ("short", "x" * 65, "a b c d e f")
    }
    assert len(request_ids) == 5
    assert all(len(request_id) == 32 for request_id in request_ids)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("DELETE", "/balance", 405), ("POST", "/balance", 405), ("GET", "/login", 405), ("GET", "/x", 404)],
)
def test_unknown_route_or_method_is_reported_in_json(gateway: Gateway, method: str, path: str, status: int) -> None:
    response = gateway.client.open(path, method=method)
    assert response.status_code == status
    assert set(response.get_json()) == {"message", "code"}
