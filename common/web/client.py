"""HTTP to another service over kept-alive connections, with a bound on everything.

``http.client`` under a small pool: about half the cost of the richer clients per hop (see
``docs/decisions``), and there is one hop in every request of a user.
"""

import select
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from queue import Empty, LifoQueue
from typing import Final
from urllib.parse import urlsplit

from common.core.errors import ServiceUnavailable

MAX_RESPONSE_BYTES: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A complete answer; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NoAnswer(ServiceUnavailable):
    """The other service was not reached, or did not answer in time: what it did is unknown. Ask again."""


class HttpClient:
    """A bounded pool of connections to one ``http://host:port``. Safe to share between threads."""

    def __init__(
        self, base_url: str, *, pool_size: int, connect_timeout_seconds: float, timeout_seconds: float
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"{base_url!r} is not an http:// address")
        self._host, self._port = parts.hostname, parts.port or 80
        self._connect_timeout_seconds = connect_timeout_seconds
        self._timeout_seconds = timeout_seconds
        self._pool_wait_seconds = min(1.5, timeout_seconds)
        # Slots, not connections: an empty slot is a connection still to be made. Last in, first out, so
        # that few connections stay warm instead of many staying lukewarm.
        self._slots: LifoQueue[HTTPConnection | None] = LifoQueue()
        for _ in range(pool_size):
            self._slots.put(None)

    def request(self, method: str, target: str, *, headers: Mapping[str, str], body: bytes | None = None) -> HttpAnswer:
        """One request, one answer of any status; raises NoAnswer, or ServiceUnavailable when the pool is full."""
        try:
            connection = self._slots.get(timeout=self._pool_wait_seconds)
        except Empty:
            raise ServiceUnavailable from None
        keep = False
        try:
            if connection is not None and _is_stale(connection):
                connection.close()
                connection = None
            connection = connection or self._connect()
            answer, keep = self._exchange(connection, method, target, headers, body)
        except (OSError, HTTPException) as error:
            raise NoAnswer from error
        else:
            return answer
        finally:
            if not keep and connection is not None:
                connection.close()
                connection = None
            self._slots.put(connection)

    def _connect(self) -> HTTPConnection:
        connection = HTTPConnection(self._host, self._port, timeout=self._connect_timeout_seconds)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sock.settimeout(self._timeout_seconds)
        return connection

    @staticmethod
    def _exchange(
        connection: HTTPConnection, method: str, target: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[HttpAnswer, bool]:
        connection.request(method, target, body=body, headers=dict(headers))
        response: HTTPResponse = connection.getresponse()
        content = response.read(MAX_RESPONSE_BYTES + 1)
        if len(content) > MAX_RESPONSE_BYTES:
            raise HTTPException("the answer is too large")
        answer_headers = {name.lower(): value for name, value in response.getheaders()}
        return HttpAnswer(response.status, answer_headers, content), not response.will_close


def _is_stale(connection: HTTPConnection) -> bool:
    """An idle connection that is readable has been closed by the other side (the test that urllib3 makes)."""
    if connection.sock is None:
        return True
    poller = select.poll()
    poller.register(connection.sock, select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(poller.poll(0))
