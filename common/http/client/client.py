"""HTTP to another service over kept-alive connections, with a bound on everything.

One hop or two are in every request of a user, so this is a small pool over a small protocol (see ``wire`` and
``docs/decisions``): nothing that richer clients can do is wanted between services.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from common.core.errors import ServiceUnavailable
from common.core.pool import PoolExhausted, ResourcePool
from common.http.client.wire import HttpAnswer, ProtocolError, Wire

__all__ = ["HttpAnswer", "HttpClient", "NoAnswer"]


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
        self._pool: ResourcePool[Wire] = ResourcePool(pool_size)

    def request(self, method: str, target: str, *, headers: Mapping[str, str], body: bytes | None = None) -> HttpAnswer:
        """One request, one answer of any status; raises NoAnswer, or ServiceUnavailable when the pool is full."""
        try:
            wire = self._pool.acquire(self._pool_wait_seconds)
        except PoolExhausted:
            raise ServiceUnavailable from None
        keep = False
        try:
            if wire is not None and wire.is_stale():
                wire.close()
                wire = None
            wire = wire or self._connect()
            answer, keep = wire.exchange(method, target, headers, body)
        except (OSError, ProtocolError) as error:
            raise NoAnswer from error
        else:
            return answer
        finally:
            if not keep and wire is not None:
                wire.close()
                wire = None
            self._pool.release(wire)

    def _connect(self) -> Wire:
        return Wire(
            self._host,
            self._port,
            connect_timeout_seconds=self._connect_timeout_seconds,
            timeout_seconds=self._timeout_seconds,
        )
