"""The HTTP client between services: persistent connections, with bounds on pool, time and size.

Every user request takes one or two internal hops, so this is a small pool over a minimal protocol; see ``connection``
and ``docs/decisions``.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from common.core.errors import ServiceUnavailable
from common.core.pool import PoolExhausted, ResourcePool
from common.http.client.connection import HttpConnection, HttpResponse, ProtocolError

__all__ = ["HttpClient", "HttpResponse", "UnknownOutcome"]


class UnknownOutcome(ServiceUnavailable):
    """The other service was unreachable or did not respond in time. Whether it acted is unknown; retry."""


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
        self._pool: ResourcePool[HttpConnection] = ResourcePool(pool_size)

    def request(
        self, method: str, target: str, *, headers: Mapping[str, str], body: bytes | None = None
    ) -> HttpResponse:
        """Return the response of any status; raises UnknownOutcome, or ServiceUnavailable if the pool is exhausted."""
        try:
            connection = self._pool.acquire(self._pool_wait_seconds)
        except PoolExhausted:
            raise ServiceUnavailable from None
        reusable = False
        try:
            if connection is not None and connection.is_stale():
                connection.close()
                connection = None
            connection = connection or self._connect()
            response, reusable = connection.exchange(method, target, headers, body)
        except (OSError, ProtocolError) as error:
            raise UnknownOutcome from error
        else:
            return response
        finally:
            if not reusable and connection is not None:
                connection.close()
                connection = None
            self._pool.release(connection)

    def _connect(self) -> HttpConnection:
        return HttpConnection(
            self._host,
            self._port,
            connect_timeout_seconds=self._connect_timeout_seconds,
            timeout_seconds=self._timeout_seconds,
        )
