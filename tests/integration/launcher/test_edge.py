"""Caddy and HAProxy as ``fastcheck up --edge`` runs them, before a stub of the gateway; real TLS."""

import http.client
import socket
import ssl
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import Final

import pycurl
import pytest

from deploy.failure import LaunchError
from launcher.children import Child
from launcher.embedded import caddy, haproxy
from launcher.embedded.caddy import EmbeddedCaddy
from launcher.embedded.haproxy import EmbeddedHaproxy
from tests.integration.launcher.stub_gateway import StubGateway, serving
from tests.security.raw_http import message
from tests.support.eventually import eventually
from tests.support.servers import free_ports

TIMEOUT: Final = 20.0


@pytest.fixture(scope="module")
def gateway() -> StubGateway:
    return StubGateway()


@pytest.fixture(scope="module")
def edge(gateway: StubGateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedCaddy]:
    folder, program = tmp_path_factory.mktemp("edge"), haproxy.program()
    if program is None:
        pytest.skip("there is no HAProxy for this machine")
    with ExitStack() as stack:
        free = free_ports()
        names = ("gateway", haproxy.OPERATOR_PORT, haproxy.EDGE_PORT, caddy.PORT)
        ports = {haproxy.GATEWAY_PORT: stack.enter_context(serving(gateway)), **{name: next(free) for name in names}}
        proxy = EmbeddedHaproxy(program, folder / "proxy", ports=ports, settings={}, log=folder / "proxy.log")
        edge = EmbeddedCaddy(folder / "caddy", ports=ports, log=folder / "caddy.log")
        for server in (proxy, edge):
            server.prepare()
            stack.callback(Child(server.launch()).end_group)
            eventually(server.is_ready, timeout=60)
        yield edge


def tls(edge: EmbeddedCaddy, *protocols: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(edge.authority))
    context.set_alpn_protocols(list(protocols))
    return context


def get(edge: EmbeddedCaddy, path: str, headers: dict[str, str] | None = None) -> http.client.HTTPResponse:
    port = int(edge.url.rsplit(":", 1)[1])
    connection = http.client.HTTPSConnection("localhost", port, timeout=TIMEOUT, context=tls(edge, "http/1.1"))
    connection.request("GET", path, headers=headers or {})
    return connection.getresponse()


@pytest.mark.parametrize(
    ("wanted", "version"),
    [
        pytest.param(pycurl.CURL_HTTP_VERSION_1_1, pycurl.CURL_HTTP_VERSION_1_1, id="http/1.1"),
        pytest.param(pycurl.CURL_HTTP_VERSION_2TLS, pycurl.CURL_HTTP_VERSION_2, id="http/2"),
        pytest.param(pycurl.CURL_HTTP_VERSION_3ONLY, pycurl.CURL_HTTP_VERSION_3, id="http/3"),
    ],
)
def test_edge_speaks_every_version_and_the_gateway_http_1_1(
    edge: EmbeddedCaddy, gateway: StubGateway, wanted: int, version: int
) -> None:
    response = BytesIO()
    handle = pycurl.Curl()
    try:
        handle.setopt(pycurl.URL, edge.url)
        handle.setopt(pycurl.HTTP_VERSION, wanted)
        handle.setopt(pycurl.CAINFO, str(edge.authority))
        handle.setopt(pycurl.POSTFIELDS, "x" * 1_000)
        handle.setopt(pycurl.TIMEOUT, int(TIMEOUT))
        handle.setopt(pycurl.WRITEDATA, response)
        handle.perform()
        assert handle.getinfo(pycurl.INFO_HTTP_VERSION) == version
    finally:
        handle.close()
    assert response.getvalue() == b"1000"
    assert gateway.requests[-1]["SERVER_PROTOCOL"] == "HTTP/1.1"


def test_edge_announces_http_3(edge: EmbeddedCaddy) -> None:
    assert f'h3=":{edge.url.rsplit(":", 1)[1]}"' in str(get(edge, "/").headers["Alt-Svc"])


def test_headers_that_name_the_client_are_replaced(edge: EmbeddedCaddy, gateway: StubGateway) -> None:
    forged = dict.fromkeys(("ClientAddress", "X-Forwarded-For", "X-Real-IP", "Forwarded"), "203.0.113.9")
    assert get(edge, "/", forged).status == 200
    environ = gateway.requests[-1]
    assert environ["HTTP_CLIENTADDRESS"] in ("127.0.0.1", "::1")
    assert not [name for name, value in environ.items() if "203.0.113.9" in str(value)]


def test_responses_have_hsts_and_name_no_server(edge: EmbeddedCaddy) -> None:
    headers = get(edge, "/").headers
    assert headers.get_all("Strict-Transport-Security") == ["max-age=31536000; includeSubDomains"]
    assert "Via" not in headers
    assert "Caddy" not in str(headers)


@pytest.mark.parametrize("path", ["/metrics", "/readyz", "/internal/x", "/%6detrics"])
def test_operators_paths_are_not_forwarded(edge: EmbeddedCaddy, gateway: StubGateway, path: str) -> None:
    before = len(gateway.requests)
    assert get(edge, path).status == 404
    assert len(gateway.requests) == before


def test_bodies_that_never_arrive_do_not_reach_the_gateway(edge: EmbeddedCaddy, gateway: StubGateway) -> None:
    before, port = len(gateway.requests), int(edge.url.rsplit(":", 1)[1])
    request = message("POST", "/", b"ab").replace(b"Content-Length: 2", b"Content-Length: 3")
    request = request.replace(b"fastcheck.test", f"localhost:{port}".encode())
    with ExitStack() as stack:
        for _ in range(60):
            plain = socket.create_connection(("localhost", port), timeout=TIMEOUT)
            connection = stack.enter_context(tls(edge, "http/1.1").wrap_socket(plain, server_hostname="localhost"))
            connection.sendall(request)
        for _ in range(3):
            assert get(edge, "/").status == 200
        assert len(gateway.requests) == before + 3


def test_edge_without_caddy_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LaunchError, match=r"pip install 'fastcheck\[edge\]'"):
        caddy.program()
