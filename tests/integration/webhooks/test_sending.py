"""Requests to receivers on real sockets: where they go, and their bounds."""

import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.certificates import Authority
from services.webhooks.addresses import AddressPolicy, Target
from services.webhooks.clients import WebhookSender
from services.webhooks.models import Outcome
from tests.integration.webhooks.conftest import Receiver
from tests.support.scripted_server import Peer, ScriptedServer, serve_all

HEADERS = {"Content-Type": "application/json", "webhook-id": "msg_1"}
LOOPBACK = ("127.0.0.0/8",)


def sender(policy: AddressPolicy | None = None, *, timeout_seconds: float = 5, ca: Path | None = None) -> WebhookSender:
    return WebhookSender(
        policy or AddressPolicy(LOOPBACK, requires_https=False), timeout_seconds=timeout_seconds, ca=ca
    )


def send(url: str, **options: Any) -> Outcome:
    return sender(**options).send(url, HEADERS, b'{"a": 1}')


def resolving(*answers: str, allowed: tuple[str, ...]) -> tuple[AddressPolicy, list[str]]:
    """Return a policy whose host names have one of these addresses after the other, and the names it has resolved."""
    left, names = list(answers), []

    def resolve(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        names.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (left.pop(0), port))]

    return AddressPolicy(allowed, requires_https=False, resolver=resolve), names


def test_request_is_a_post_with_the_signed_body(receiver: Receiver) -> None:
    assert send(receiver.url) == Outcome(204)
    (request,) = receiver.server.requests
    assert request.startswith(b"POST /hook HTTP/1.1\r\n")
    ((headers, body),) = receiver.received
    assert body == b'{"a": 1}'
    assert (headers["webhook-id"], headers["content-length"]) == ("msg_1", "8")


def test_name_that_is_bound_to_another_address_later_gains_nothing(receiver: Receiver) -> None:
    """DNS rebinding: the connection goes to the address that was checked; the name is not resolved again."""
    policy, names = resolving("127.0.0.1", "127.0.0.2", "127.0.0.3", allowed=("127.0.0.1",))
    port = receiver.server.port
    assert send(f"http://rebind.test:{port}/hook", policy=policy) == Outcome(204)
    assert names == ["rebind.test"]
    assert receiver.received[0][0]["host"] == f"rebind.test:{port}"
    rebound = send(f"http://rebind.test:{port}/hook", policy=policy)
    assert rebound == Outcome(None, "the host has an address that is not public")
    assert len(receiver.received) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "127.1", "localhost", "[::ffff:127.0.0.1]"])
def test_private_receiver_gets_no_connection(receiver: Receiver, host: str) -> None:
    policy = AddressPolicy(requires_https=False)
    assert send(f"http://{host}:{receiver.server.port}/hook", policy=policy).error is not None
    assert receiver.server.connections == 0


def test_socket_is_refused_for_an_address_that_is_not_allowed(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last check before a connection, for whatever the earlier ones have missed."""
    policy, port = AddressPolicy(requires_https=False), receiver.server.port
    target = Target(f"http://missed.test:{port}/hook", "missed.test", port, ("127.0.0.1",))
    monkeypatch.setattr(policy, "resolve", lambda _url: target)
    assert send(target.url, policy=policy) == Outcome(None, "the connection failed")
    assert receiver.server.connections == 0


def test_redirect_is_not_followed(receiver: Receiver) -> None:
    def redirect(peer: Peer) -> None:
        peer.read_request()
        peer.send(f"HTTP/1.1 307 X\r\nLocation: {receiver.url}\r\nContent-Length: 0\r\n\r\n".encode())

    with ScriptedServer(redirect) as server:
        assert send(server.url) == Outcome(307, "the receiver responded 307")
    assert receiver.server.connections == 0


def test_proxies_of_the_environment_are_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer(serve_all) as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert send(receiver.url) == Outcome(204)
        assert proxy.connections == 0


def test_receiver_that_does_not_respond_is_given_up() -> None:
    def wait(peer: Peer) -> None:
        peer.read_request()
        peer.server.stopping.wait(30)

    with ScriptedServer(wait) as server:
        assert send(server.url, timeout_seconds=0.3) == Outcome(None, "the receiver did not respond in time")


def test_response_that_drips_is_given_up() -> None:
    def drip(peer: Peer) -> None:
        peer.read_request()
        peer.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000, every_seconds=0.01)

    with ScriptedServer(drip) as server:
        started_at = time.monotonic()
        assert send(server.url, timeout_seconds=0.5).error == "the receiver did not respond in time"
        assert time.monotonic() - started_at < 20


def test_endless_body_is_cut_off_and_its_status_counts() -> None:
    def flood(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while not peer.server.stopping.is_set():
            peer.send(b"x" * 65_536)

    with ScriptedServer(flood) as server:
        assert send(server.url) == Outcome(200)


@pytest.mark.parametrize("response", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200"])
def test_receiver_that_speaks_no_http_fails(response: bytes) -> None:
    def speak(peer: Peer) -> None:
        peer.read_request()
        peer.send(response)

    with ScriptedServer(speak) as server:
        outcome = send(server.url, timeout_seconds=2)
    assert not outcome.is_success
    assert outcome.error


def test_closed_port_fails() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert send(f"http://127.0.0.1:{port}/") == Outcome(None, "the connection failed")


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, bytes], Path]:
    def write(name: str, content: bytes) -> Path:
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write


@pytest.mark.parametrize(
    ("names", "is_trusted", "error"),
    [
        (["hook.test"], True, None),
        (["other.test"], True, "the certificate of the receiver is not valid"),
        (["hook.test"], False, "the certificate of the receiver is not valid"),
    ],
)
def test_certificate_of_the_receiver_is_verified_for_its_name(
    write: Callable[[str, bytes], Path], names: list[str], is_trusted: bool, error: str | None
) -> None:
    authority = Authority.create("receiver CA")
    own = authority.issue("receiver", names)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(write("server.pem", own.certificate), write("server.key", own.key))
    ca = write("ca.pem", (authority if is_trusted else Authority.create("another CA")).pem)
    policy, _ = resolving("127.0.0.1", allowed=LOOPBACK)
    with ScriptedServer(serve_all, tls=context) as server:
        outcome = send(f"https://hook.test:{server.port}/", policy=policy, ca=ca)
        assert outcome.error == error
        assert len(server.requests) == (1 if error is None else 0)
