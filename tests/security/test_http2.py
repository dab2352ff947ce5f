"""A web process accepts HTTP/1.1 only.

With granian's default, ``--http auto``, a client may open a cleartext HTTP/2 connection without negotiation (prior
knowledge, RFC 9113 section 3.3). One such connection carries many streams and can occupy every thread of the process.
"""

import http.client
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from deploy.commands import web_command
from deploy.credentials import generate
from deploy.environment import process_environment, system_settings
from deploy.services import BY_NAME, SERVICES, Service
from launcher.children import Child, Launch
from launcher.ports import HOST
from tests.support.eventually import eventually
from tests.support.servers import free_ports
from tests.support.system import ROOT

#: The client's connection preface, then an empty SETTINGS frame (RFC 9113, section 3.4).
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
#: The type of a SETTINGS frame, in the fourth byte of the nine-byte frame header.
SETTINGS_FRAME: Final = 4
TIMEOUT_SECONDS: Final = 10.0


@pytest.fixture
def start_gateway(cache_url: str, tmp_path: Path) -> Iterator[Callable[[str | None], int]]:
    """``start_gateway(http)``: a gateway web process, with ``--http`` replaced if given; returns its port."""
    children: list[Child] = []

    def start(http_option: str | None = None) -> int:
        service, ports = BY_NAME["gateway"], free_ports()
        port = next(ports)
        addresses = dict.fromkeys(("postgres", "redis", *(each.name for each in SERVICES)), f"{HOST}:{port}")
        user = {"FASTCHECK_CACHE_URL": cache_url}
        settings = system_settings(generate(), addresses, public_url=f"http://{HOST}:{port}", user=user)
        command = web_command(service, host=HOST, port=port)
        if http_option is not None:
            command = [http_option if word.startswith("--http=") else word for word in command]
        launch = Launch(
            name="gateway-web",
            command=[sys.executable, *command],
            env=process_environment(service, settings),
            log=tmp_path / "gateway-web.log",
            cwd=ROOT,
        )
        children.append(Child(launch))
        eventually(lambda: health_status(port) == 200, timeout=30)
        return port

    yield start
    for child in children:
        child.ask_to_stop()
        eventually(lambda child=child: child.poll() is not None)  # type: ignore[misc]
        child.end_group()


def health_status(port: int) -> int | None:
    """Return the status of ``GET /healthz`` over HTTP/1.1, or None if the port refuses the connection."""
    connection = http.client.HTTPConnection(HOST, port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status
    except ConnectionError:
        return None
    finally:
        connection.close()


def response_to_preface(port: int) -> bytes:
    """Return the first bytes that the server sends after an HTTP/2 preface; empty if it closes the connection."""
    with socket.create_connection((HOST, port), timeout=TIMEOUT_SECONDS) as connection:
        connection.sendall(PREFACE)
        try:
            return connection.recv(4096)
        except ConnectionResetError:
            return b""


def test_web_process_rejects_an_http2_preface_and_serves_http1(start_gateway: Callable[[str | None], int]) -> None:
    port = start_gateway(None)
    response = response_to_preface(port)
    assert response == b"" or response.startswith(b"HTTP/1.1 4"), response
    assert health_status(port) == 200


def test_preface_opens_an_http2_connection_where_http2_is_enabled(start_gateway: Callable[[str | None], int]) -> None:
    """The probe can tell the difference: the option alone decides."""
    response = response_to_preface(start_gateway("--http=auto"))
    assert response[3] == SETTINGS_FRAME


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_every_web_command_disables_http2(service: Service) -> None:
    assert "--http=1" in web_command(service, host=HOST, port=1)
