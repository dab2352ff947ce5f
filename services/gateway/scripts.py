"""Lua scripts on Redis, by redis-py's client and its registered scripts.

The client is set so that a failure is known at once: the gateway decides what a failure means, see ``repository``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from common.core.settings import TlsSettings


class ScriptRunner:
    """Named scripts and a bounded pool of connections to one Redis. Safe to share between threads."""

    def __init__(
        self,
        url: str,
        sources: Mapping[str, str],
        *,
        pool_size: int,
        timeout_seconds: float,
        tls: TlsSettings | None = None,
    ) -> None:
        """Connect to nothing yet; with the files of ``tls`` if the URL is ``rediss://``.

        ``timeout_seconds`` bounds each wait: to get a connection, to connect, to respond.
        """
        pool = redis.BlockingConnectionPool.from_url(
            url,
            max_connections=pool_size,
            timeout=timeout_seconds,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            # The default retries would make a user wait for seconds, and could run a script twice.
            retry=Retry(NoBackoff(), 0),
            # RESP 2 needs no handshake.
            protocol=2,
            decode_responses=True,
            **_tls_options(url, tls),
        )
        self._client = redis.Redis.from_pool(pool)
        self._scripts = {name: self._client.register_script(source) for name, source in sources.items()}

    def run(self, name: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        """Run the script in one round trip; raises redis.RedisError, after which it has run once or not at all.

        A server that does not know the script, after a restart, costs two more round trips.
        """
        return self._scripts[name](keys=keys, args=arguments)

    def ping(self) -> None:
        """Raise redis.RedisError if Redis does not respond."""
        self._client.ping()


def _tls_options(url: str, tls: TlsSettings | None) -> dict[str, Any]:
    """Return redis-py's options. Its defaults verify the certificate and the host name of the server."""
    if tls is None or not url.startswith("rediss://"):
        return {}
    return {
        "ssl_ca_certs": tls.tls_ca,
        "ssl_certfile": tls.tls_cert,
        "ssl_keyfile": tls.tls_key,
    }
