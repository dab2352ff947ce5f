"""Lua scripts on Redis, over redis-py's connections and without its client.

Every user request runs a script. The client adds metrics and retries to each command, at twice the cost of the command;
here the caller handles a failure, at once. See ``docs/decisions``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha1
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError
from redis.retry import Retry

from common.core.pool import PoolExhausted, ResourcePool


@dataclass(frozen=True, slots=True)
class Script:
    """A script and its SHA-1, by which the server runs it once it is loaded."""

    source: str
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sha", sha1(self.source.encode(), usedforsecurity=False).hexdigest())


class ScriptRunner:
    """A bounded pool of connections to one Redis. Safe to share between threads."""

    def __init__(self, url: str, *, pool_size: int, timeout_seconds: float) -> None:
        """Connects to nothing yet."""
        self._factory = redis.ConnectionPool.from_url(
            url,
            # Only used to create connections: ``_pool`` bounds their number.
            max_connections=2**31,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            # No retries: the library's own would make a user wait for seconds.
            retry=Retry(NoBackoff(), 0),
            # RESP 2 needs no handshake.
            protocol=2,
            decode_responses=True,
        )
        self._timeout_seconds = timeout_seconds
        self._pool: ResourcePool[Any] = ResourcePool(pool_size)

    def run(self, script: Script, keys: Sequence[str], arguments: Sequence[object]) -> Any:
        """Run the script in one round trip; raises redis.RedisError, after which it has run once or not at all."""
        try:
            connection = self._pool.acquire(self._timeout_seconds)
        except PoolExhausted:
            raise RedisConnectionError("all connections are in use") from None
        try:
            connection = connection or self._factory.make_connection()
            _ensure_connected(connection)
            try:
                return _execute(connection, "EVALSHA", script.sha, len(keys), *keys, *arguments)
            except NoScriptError:
                # The server restarted or its scripts were flushed. It did not run, so sending its source is safe.
                return _execute(connection, "EVAL", script.source, len(keys), *keys, *arguments)
        finally:
            self._pool.release(connection)

    def ping(self) -> None:
        """Raise redis.RedisError if Redis does not respond."""
        connection: Any = self._factory.make_connection()
        try:
            _execute(connection, "PING")
        finally:
            connection.disconnect()


def _execute(connection: Any, *command: object) -> Any:
    try:
        connection.send_command(*command, check_health=False)
        return connection.read_response()
    except redis.ResponseError:
        raise  # the server has responded: the connection can be reused
    except BaseException:
        connection.disconnect()  # a late response would be read as that of the next command
        raise


def _ensure_connected(connection: Any) -> None:
    """Reconnect a connection that the server closed while it was idle: it is then readable."""
    try:
        stale = connection.is_connected and connection.can_read()
    except (redis.RedisError, OSError):
        stale = True
    if stale:
        connection.disconnect()
    if not connection.is_connected:
        connection.connect()
