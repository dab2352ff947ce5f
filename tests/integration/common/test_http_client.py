"""The HTTP client between services, against servers that misbehave on real sockets."""

import os
import select
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pycurl
import pytest

from common.core.errors import ServiceUnavailable
from common.http.client.client import MAX_RESPONSE_BYTES, HttpClient, UnknownOutcome
from tests.support.scripted_server import Peer, Script, ScriptedServer, ok, serve_all

CLOSING = ok(b"last", "Connection: close")


def _client(server: ScriptedServer, timeout_seconds: float = 5.0, max_connections: int = 2) -> HttpClient:
    return HttpClient(server.url, timeout_seconds=timeout_seconds, max_connections=max_connections)


def _responding(*responses: bytes) -> Script:
    """Respond to one request after the other on a connection, then close it."""

    def script(peer: Peer) -> None:
        for response in responses:
            if not peer.read_request():
                return
            peer.send(response)

    return script


def _idle(peer: Peer) -> None:
    peer.server.stopping.wait(30)


def _silent(peer: Peer) -> None:
    peer.read_request()
    peer.server.stopping.wait(30)


def test_response_has_status_headers_and_body() -> None:
    response = b"HTTP/1.1 409 Conflict\r\nRetry-After: 7\r\nX-Name: \xe9\r\nContent-Length: 4\r\n\r\nbody"
    with ScriptedServer(_responding(response)) as server:
        got = _client(server).request("GET", "/x", headers={})
    assert (got.status, got.body) == (409, b"body")
    assert (got.headers["retry-after"], got.headers["x-name"]) == ("7", "\xe9")


def test_request_is_sent_as_given_and_nothing_is_added_but_the_host() -> None:
    with ScriptedServer(serve_all) as server:
        client = _client(server)
        client.request("POST", "/a/../b%20c//?q=%2F&r", headers={"X-One": "1", "X-Empty": ""}, body=b"\0\xff")
        client.request("GET", "/", headers={"Authorization": "Bearer token"})
        client.request("POST", "/", headers={"Content-Type": "application/json"}, body=b"")
        post, get, empty = server.requests
    host = f"Host: 127.0.0.1:{server.port}"
    head, _, body = post.partition(b"\r\n\r\n")
    assert head.decode().split("\r\n")[0] == "POST /a/../b%20c//?q=%2F&r HTTP/1.1"
    assert set(head.decode().split("\r\n")[1:]) == {host, "X-One: 1", "X-Empty:", "Content-Length: 2"}
    assert body == b"\0\xff"
    assert set(get.decode().strip().split("\r\n")) == {"GET / HTTP/1.1", host, "Authorization: Bearer token"}
    assert {"Content-Type: application/json", "Content-Length: 0"} < set(empty.decode().strip().split("\r\n"))


def test_head_and_get_after_a_post_have_no_body_and_the_connection_is_kept() -> None:
    head_only = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
    with ScriptedServer(_responding(ok(b"1"), head_only, ok(b"3"))) as server:
        client = _client(server)
        bodies = [
            client.request(method, "/", headers={}, body=body).body
            for method, body in (("POST", b"{}"), ("HEAD", None), ("GET", None))
        ]
        assert (bodies, server.connections) == ([b"1", b"", b"3"], 1)
        assert [request.split(b" ", 1)[0] for request in server.requests] == [b"POST", b"HEAD", b"GET"]
        assert b"ontent-" not in server.requests[2]


def test_chunked_response_is_read() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    with ScriptedServer(_responding(chunked)) as server:
        assert _client(server).request("GET", "/", headers={}).body == b"abc"


def test_interim_response_is_skipped_with_its_headers() -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n" + ok(b"final", "X-Late: 2")
    with ScriptedServer(_responding(interim)) as server:
        response = _client(server).request("GET", "/", headers={})
    assert (response.status, response.body, dict(response.headers)) == (
        200, b"final", {"x-late": "2", "content-length": "5"},
    )  # fmt: skip


# Time


@pytest.mark.parametrize("part", ["head", "body"])
def test_dripping_server_cannot_hold_a_call_beyond_its_timeout(part: str) -> None:
    response = ok(b"x" * 200)
    start = 0 if part == "head" else len(response) - 200

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(response[:start])
        peer.drip(response[start:], every_seconds=0.05)

    with ScriptedServer(script) as server:
        started_at = time.monotonic()
        with pytest.raises(UnknownOutcome):
            _client(server, timeout_seconds=0.3).request("GET", "/", headers={})
        assert 0.3 <= time.monotonic() - started_at < 1.0


def test_server_that_does_not_read_cannot_hold_a_large_request() -> None:
    with ScriptedServer(_idle) as server:
        started_at = time.monotonic()
        with pytest.raises(UnknownOutcome):
            _client(server, timeout_seconds=0.3).request("POST", "/", headers={}, body=b"x" * 32 * 1024 * 1024)
        assert time.monotonic() - started_at < 1.0


def test_connection_is_reusable_after_a_timeout_and_no_late_response_is_returned() -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        if peer.number == 1:
            peer.server.stopping.wait(0.4)
            peer.send(ok(b"late"))
        else:
            peer.send(ok(b"second"))

    with ScriptedServer(script) as server:
        client = _client(server, timeout_seconds=0.2, max_connections=1)
        with pytest.raises(UnknownOutcome):
            client.request("GET", "/", headers={})
        assert client.request("GET", "/", headers={}).body == b"second"


def test_full_pool_is_reported_within_the_timeout_and_bounds_the_connections() -> None:
    with ScriptedServer(_silent) as server:
        client = _client(server, timeout_seconds=0.3, max_connections=2)
        with ThreadPoolExecutor(6) as threads:
            calls = [threads.submit(client.request, "GET", "/", headers={}) for _ in range(6)]
            errors = [call.exception(5) for call in calls]
        assert server.connections <= 2 * 3  # a connection is replaced after each time-out
    assert {type(error) for error in errors} <= {UnknownOutcome, ServiceUnavailable}


def test_wait_for_a_connection_counts_towards_the_timeout() -> None:
    with ScriptedServer(_silent) as server:
        client = _client(server, timeout_seconds=0.6, max_connections=1)
        with ThreadPoolExecutor(1) as threads:
            first = threads.submit(client.request, "GET", "/", headers={})
            while not server.requests:
                time.sleep(0.01)
            time.sleep(0.2)
            started_at = time.monotonic()
            with pytest.raises(ServiceUnavailable):
                client.request("GET", "/", headers={})
            assert time.monotonic() - started_at < 0.9
            assert isinstance(first.exception(5), UnknownOutcome)


# Connections


def test_refused_connection_is_an_unknown_outcome() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(UnknownOutcome):
        HttpClient(f"http://127.0.0.1:{port}", timeout_seconds=1).request("GET", "/", headers={})


@pytest.mark.parametrize("closing", [CLOSING, ok(b"last")], ids=["announced", "unannounced"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_connection_closed_after_a_response_is_replaced(closing: bytes, method: str) -> None:
    body = b"{}" if method == "POST" else None
    with ScriptedServer(_responding(closing)) as server:
        client = _client(server, max_connections=1)
        for expected in (1, 2, 3):
            assert client.request(method, "/", headers={}, body=body).body == b"last"
            assert server.connections == expected
            _wait_until_closed(client)


def _wait_until_closed(client: HttpClient) -> None:
    """Wait until the server's end of the idle connection is closed; before that it still looks usable."""
    (connection,) = client._idle.queue
    descriptor = connection._curl.getinfo(pycurl.ACTIVESOCKET)
    if descriptor >= 0:  # else libcurl has closed it, as the server announced
        assert select.select([descriptor], [], [], 5)[0]


def _closing_on_the_second_request(peer: Peer) -> None:
    """Respond to the first request of connection 1, read the second one, and close without a response."""
    peer.read_request()
    peer.send(ok(b"first"))
    if peer.read_request() and peer.number > 1:
        peer.send(ok(b"again"))


def test_get_is_repeated_on_a_new_connection_if_a_kept_one_closes_without_a_response() -> None:
    with ScriptedServer(_closing_on_the_second_request) as server:
        client = _client(server, max_connections=1)
        client.request("GET", "/", headers={})
        assert client.request("GET", "/", headers={}).body == b"first"
        assert (len(server.requests), server.connections) == (3, 2)


@pytest.mark.parametrize("body", [b"", b"{}"])
def test_post_is_never_sent_twice_if_a_kept_connection_closes_without_a_response(body: bytes) -> None:
    with ScriptedServer(_closing_on_the_second_request) as server:
        client = _client(server, max_connections=1)
        client.request("GET", "/", headers={})
        with pytest.raises(UnknownOutcome):
            client.request("POST", "/pay", headers={}, body=body)
        assert [request.split(b" ", 1)[0] for request in server.requests] == [b"GET", b"POST"]


def test_redirect_is_returned_and_not_followed() -> None:
    redirect = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    with ScriptedServer(_responding(redirect, ok())) as server:
        response = _client(server).request("GET", "/", headers={})
        assert (response.status, response.headers["location"], len(server.requests)) == (302, "/elsewhere", 1)


def test_cookies_are_not_stored() -> None:
    with ScriptedServer(_responding(ok(b"", "Set-Cookie: a=b"), ok())) as server:
        client = _client(server)
        for _ in range(2):
            client.request("GET", "/", headers={})
        assert b"ookie" not in server.requests[1]


def test_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with ScriptedServer(serve_all) as server:
        assert _client(server).request("GET", "/", headers={}).status == 200


# What is rejected


@pytest.mark.parametrize(
    "response",
    [
        f"HTTP/1.1 200 OK\r\nContent-Length: {MAX_RESPONSE_BYTES + 1}\r\n\r\n".encode(),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"100000\r\n" * 1 + (b"x" * 0x100000 + b"\r\n100000\r\n") * 9,
        b"HTTP/1.1 200 OK\r\nX-Large: " + b"x" * 400_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"not http at all\r\n\r\n",
        b"",
    ],
    ids=["announced too large", "chunks too large", "head too large", "cut off", "bad length", "no http", "nothing"],
)  # fmt: skip
def test_broken_or_oversized_response_is_an_unknown_outcome(response: bytes) -> None:
    with ScriptedServer(_responding(response)) as server, pytest.raises(UnknownOutcome):
        _client(server).request("POST", "/", headers={}, body=b"{}")


def test_largest_allowed_response_is_read() -> None:
    with ScriptedServer(_responding(ok(b"x" * MAX_RESPONSE_BYTES))) as server:
        assert len(_client(server).request("GET", "/", headers={}).body) == MAX_RESPONSE_BYTES


@pytest.mark.parametrize("bad", ["a\r\nX-Injected: 1", "a\nX-Injected: 1", "a\rb", "a\0b"])
@pytest.mark.parametrize("where", ["name", "value", "target"])
def test_line_breaks_cannot_inject_a_header(bad: str, where: str) -> None:
    with ScriptedServer(serve_all) as server:
        client = _client(server)
        headers = {bad: "x"} if where == "name" else {"X": bad} if where == "value" else {}
        with pytest.raises(ValueError):
            client.request("GET", f"/{bad}" if where == "target" else "/", headers=headers)
        assert (server.requests, server.connections) == ([], 0)
        assert client.request("GET", "/", headers={}).status == 200


@pytest.mark.parametrize("target", ["/with space", "/ü", "/\x7f"])
def test_target_that_is_not_percent_encoded_is_rejected(target: str) -> None:
    with pytest.raises(ValueError):
        HttpClient("http://127.0.0.1:9", timeout_seconds=1).request("GET", target, headers={})


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1", "127.0.0.1:80", "http://", "http://host/path", "http://host?x", "https://host:1"]
)
def test_unsupported_address_is_rejected_at_creation(url: str) -> None:
    with pytest.raises(ValueError):
        HttpClient(url, timeout_seconds=1)


# Threads and processes


def test_threads_share_a_client_and_get_their_own_responses() -> None:
    def echo(peer: Peer) -> None:
        while request := peer.read_request():
            peer.send(ok(request.partition(b"\r\n\r\n")[2]))

    with ScriptedServer(echo) as server:
        client = _client(server, max_connections=4)

        def call(number: int) -> bool:
            return all(
                client.request("POST", "/", headers={}, body=f"{number}-{i}".encode()).body == f"{number}-{i}".encode()
                for i in range(100)
            )

        with ThreadPoolExecutor(16) as threads:
            assert all(threads.map(call, range(16)))
        assert server.connections <= 4


def test_fork_does_not_share_the_connections_of_its_parent() -> None:
    with ScriptedServer(serve_all) as server:
        client = _client(server, max_connections=1)
        assert client.request("GET", "/", headers={}).body == b"1"
        assert _in_fork(lambda: client.request("GET", "/", headers={}).body) == b"2"
        assert client.request("GET", "/", headers={}).body == b"1"


def test_fork_while_every_connection_is_in_use_can_still_call() -> None:
    def slow_first(peer: Peer) -> None:
        peer.read_request()
        if peer.number == 1:
            peer.server.stopping.wait(2)
        peer.send(ok(str(peer.number).encode()))

    with ScriptedServer(slow_first) as server:
        client = _client(server, max_connections=1)
        busy = threading.Thread(target=client.request, args=("GET", "/"), kwargs={"headers": {}})
        busy.start()
        while not server.requests:
            time.sleep(0.01)
        assert _in_fork(lambda: client.request("GET", "/", headers={}).body) == b"2"
        server.stopping.set()
        busy.join(5)


def _in_fork(call: Callable[[], bytes]) -> bytes:
    """Return what the call returns in a child process."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, call())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        result = pipe.read()
    os.waitpid(child, 0)
    return result
