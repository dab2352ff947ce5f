"""Clients that keep connections open and send little. Other users are served meanwhile.

The attackers connect from loopback addresses of their own, which only Linux has without further set-up.
"""

import resource
import select
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final
from urllib.parse import urlsplit

import pytest

from deploy.gateway_proxy import CONNECTIONS_PER_ADDRESS
from launcher.demo.user import DemoUser
from tests.security.raw_http import message
from tests.support.eventually import eventually
from tests.support.system import RunningSystem
from tests.support.users import create_user, send

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs several loopback addresses")

#: Deadlines of the proxy are 5 s; a busy machine may take longer to notice.
END_SECONDS: Final = 20.0
#: Each test has its own, so that connections of the test before do not count.
STALLED, IDLE, DRIPPING, MANY = "127.0.0.66", "127.0.0.67", "127.0.0.68", "127.0.0.69"


@pytest.fixture(scope="module", autouse=True)
def _open_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < 4096:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def user(system: RunningSystem) -> DemoUser:
    return create_user(system.gateway_url, kopecks=100_000)


@contextmanager
def connections(url: str, source: str, count: int, sent: bytes = b"") -> Iterator[list[socket.socket]]:
    """Open connections from ``source`` and send the same bytes on each; leave out those that the server refuses."""
    address = urlsplit(url)
    with ExitStack() as stack:
        opened = []
        for _ in range(count):
            try:
                one = socket.create_connection((address.hostname, address.port), timeout=10, source_address=(source, 0))
                stack.enter_context(one)
                one.sendall(sent)
            except ConnectionError:
                continue
            opened.append(one)
        yield opened


def still_open(sockets: Sequence[socket.socket]) -> int:
    """Return the number of connections that the server has neither closed nor answered."""
    poller = select.poll()
    for one in sockets:
        poller.register(one, select.POLLIN)
    return len(sockets) - len(poller.poll(0))


def first_bytes(connection: socket.socket) -> bytes:
    """Return the first bytes that the server sends; empty if it closes the connection."""
    try:
        return connection.recv(100)
    except ConnectionResetError:
        return b""


def assert_served(system: RunningSystem, user: DemoUser) -> None:
    """Assert that a user at another address reads and writes, each on a new connection."""
    for _ in range(3):
        assert send(user, system.gateway_url, "GET", "/balance").status_code == 200
        response = send(user, system.gateway_url, "POST", "/fastcheck", {"amount": 100})
        assert response.status_code == 201, response.text


@pytest.mark.parametrize("count", [32, 300])
def test_bodies_that_never_arrive_do_not_stop_others(system: RunningSystem, user: DemoUser, count: int) -> None:
    head = message("POST", "/login", Content_Type="application/json").replace(
        b"Content-Length: 0", b"Content-Length: 60"
    )
    with connections(system.gateway_url, STALLED, count, head + b"{") as stalled:
        assert_served(system, user)
        eventually(lambda: still_open(stalled) == 0, timeout=END_SECONDS)
        assert stalled[0].recv(100).startswith(b"HTTP/1.1 408 ")
    assert_served(system, user)


def test_silent_connections_of_one_address_do_not_affect_others(system: RunningSystem, user: DemoUser) -> None:
    with connections(system.gateway_url, IDLE, 1_500) as idle:
        assert_served(system, user)
        eventually(lambda: still_open(idle) <= CONNECTIONS_PER_ADDRESS, timeout=END_SECONDS)
        assert_served(system, user)
        # Those within the limit end as well.
        eventually(lambda: still_open(idle) == 0, timeout=END_SECONDS)


def test_one_address_has_a_limited_number_of_connections(system: RunningSystem, user: DemoUser) -> None:
    request = message("GET", "/healthz")
    with connections(system.gateway_url, MANY, CONNECTIONS_PER_ADDRESS + 20, request) as many:
        # They stay open after the response.
        served = [one for one in many if first_bytes(one).startswith(b"HTTP/1.1 200 ")]
        assert len(served) == CONNECTIONS_PER_ADDRESS
        assert_served(system, user)


def test_headers_that_arrive_byte_by_byte_end_after_a_deadline(system: RunningSystem, user: DemoUser) -> None:
    stop = threading.Event()

    def drip(sockets: Sequence[socket.socket]) -> None:
        while not stop.wait(0.5):
            for one in sockets:
                try:
                    one.send(b"a")
                except OSError:
                    continue

    with connections(system.gateway_url, DRIPPING, 100, b"GET /balance HTTP/1.1\r\nHost: x\r\nX-Long: ") as slow:
        thread = threading.Thread(target=drip, args=(slow,))
        thread.start()
        try:
            assert_served(system, user)
            eventually(lambda: still_open(slow) == 0, timeout=END_SECONDS)
        finally:
            stop.set()
            thread.join()
