"""HAProxy as ``fastcheck up`` runs it, before a stub of the gateway that records what reaches it."""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest
import requests

from deploy.gateway_proxy import GATEWAY_REQUESTS
from launcher.children import Child
from launcher.embedded import haproxy
from launcher.embedded.haproxy import EmbeddedHaproxy
from tests.integration.launcher.stub_gateway import StubGateway, serving
from tests.security.raw_http import exchange, message
from tests.support.eventually import eventually
from tests.support.servers import free_ports

TIMEOUT: Final = 20


@pytest.fixture
def gateway() -> Iterator[StubGateway]:
    stub = StubGateway()
    yield stub
    stub.release.set()


@pytest.fixture
def start(gateway: StubGateway, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """``start({"FASTCHECK_CLIENT_ADDRESS_HEADER": "…"})`` starts the proxy before the stub and returns its URL."""
    program = haproxy.program()
    if program is None:
        pytest.skip("there is no HAProxy for this machine")
    with ExitStack() as stack:

        def run(settings: dict[str, str] | None = None) -> str:
            port = stack.enter_context(serving(gateway))
            free = free_ports()
            ports = {
                "gateway": next(free),
                haproxy.OPERATOR_PORT: next(free),
                haproxy.GATEWAY_PORT: port,
            }
            log = tmp_path / "proxy.log"
            proxy = EmbeddedHaproxy(program, tmp_path / "proxy", ports=ports, settings=settings or {}, log=log)
            proxy.prepare()
            child = Child(proxy.launch())
            stack.callback(child.end_group)
            eventually(proxy.is_ready, timeout=20)
            return f"http://127.0.0.1:{ports['gateway']}"

        yield run


def test_gateway_gets_the_clients_address_from_the_proxy_only(start: Callable[..., str], gateway: StubGateway) -> None:
    url = start()
    for forged in ("ClientAddress", "clientaddress"):
        assert requests.get(url, headers={forged: "203.0.113.9"}, timeout=TIMEOUT).status_code == 200
        assert gateway.requests[-1]["HTTP_CLIENTADDRESS"] == "127.0.0.1"


def test_header_of_the_operators_own_proxy_is_passed_on(start: Callable[..., str], gateway: StubGateway) -> None:
    url = start({"FASTCHECK_CLIENT_ADDRESS_HEADER": "RealClient"})
    assert requests.get(url, headers={"RealClient": "203.0.113.9"}, timeout=TIMEOUT).status_code == 200
    assert gateway.requests[-1]["HTTP_REALCLIENT"] == "203.0.113.9"
    assert "HTTP_CLIENTADDRESS" not in gateway.requests[-1]


@pytest.mark.parametrize("path", ["/metrics", "/readyz", "/internal/x", "/%6detrics", "/metrics?a=b"])
def test_operators_paths_are_not_forwarded(start: Callable[..., str], gateway: StubGateway, path: str) -> None:
    response = exchange(start(), message("GET", path))
    assert (response.status, response.json()["code"]) == (404, "not_found")
    assert not gateway.requests


def test_largest_request_passes_as_one(start: Callable[..., str], gateway: StubGateway) -> None:
    body, headers = b"x" * 65_536, {f"X-Filler-{number}": "y" * 1_000 for number in range(14)}
    assert requests.post(start(), data=body, headers=headers, timeout=TIMEOUT).text == "65536"


def test_incomplete_body_never_reaches_the_gateway(start: Callable[..., str], gateway: StubGateway) -> None:
    request = message("POST", "/", b"ab").replace(b"Content-Length: 2", b"Content-Length: 3")
    url = start()
    response = exchange(url, request)
    assert (response.status, response.json()["code"]) == (408, "bad_request")
    assert exchange(url, request, end=True).status in (0, 400)
    assert not gateway.requests


def test_other_requests_leave_slots_for_bank_notifications(start: Callable[..., str], gateway: StubGateway) -> None:
    url, count = start(), GATEWAY_REQUESTS + 10
    with ThreadPoolExecutor(count) as threads:
        held = [threads.submit(requests.get, f"{url}/held", timeout=60) for _ in range(count)]
        eventually(lambda: gateway.held == GATEWAY_REQUESTS)
        # Those over the number get an error after a short wait for a slot.
        eventually(lambda: sum(one.done() for one in held) == count - GATEWAY_REQUESTS)
        for path in ("/bank/webhook/tbank", "/v1/bank/webhook/sber"):
            assert requests.post(f"{url}{path}", data=b"{}", timeout=TIMEOUT).status_code == 200
        gateway.release.set()
        busy = [one.result() for one in held if one.result().status_code != 200]
    assert len(busy) == count - GATEWAY_REQUESTS
    assert {(one.status_code, one.json()["code"], one.headers["Retry-After"]) for one in busy} == {
        (503, "temporarily_unavailable", "1")
    }


def test_bare_line_feeds_become_regular_line_ends(tmp_path: Path) -> None:
    """HAProxy accepts them, as RFC 9112 permits, and is the only parser that sees them."""
    program = haproxy.program()
    if program is None:
        pytest.skip("there is no HAProxy for this machine")
    free = free_ports()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ports = {
            "gateway": next(free),
            haproxy.OPERATOR_PORT: next(free),
            haproxy.GATEWAY_PORT: listener.getsockname()[1],
        }
        proxy = EmbeddedHaproxy(program, tmp_path / "proxy", ports=ports, settings={}, log=tmp_path / "log")
        proxy.prepare()
        child = Child(proxy.launch())
        try:
            eventually(proxy.is_ready, timeout=20)
            with socket.create_connection(("127.0.0.1", ports["gateway"]), timeout=TIMEOUT) as client:
                client.sendall(b"GET / HTTP/1.1\nHost: x\nA: b\n\n")
                listener.settimeout(TIMEOUT)
                connection, _ = listener.accept()
                with connection:
                    received = connection.recv(4096)
        finally:
            child.end_group()
    assert received.count(b"\n") == received.count(b"\r\n") >= 4
