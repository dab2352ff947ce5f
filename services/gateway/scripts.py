"""Lua scripts on Redis, over redis-py's connections and without its client.

One script runs in every request of a user. The client measures, counts and prepares to retry each command, at twice
the cost of the command; here a failure is the caller's to handle, at once. See ``docs/decisions``.
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
    """A script and the name by which the server knows it once it has run."""

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
            # A pool of ours makes this one a mere maker of connections, which it need not count.
            max_connections=2**31,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            # One try: the library's own retries would make a user wait for seconds.
            retry=Retry(NoBackoff(), 0),
            # RESP 2 needs no exchange of greetings.
            protocol=2,
            decode_responses=True,
        )
        self._timeout_seconds = timeout_seconds
        self._pool: ResourcePool[Any] = ResourcePool(pool_size)

    def run(self, script: Script, keys: Sequence[str], arguments: Sequence[object]) -> Any:
        """What the script returns: one round trip. Raises redis.RedisError; then it has run once, or not."""
        try:
            connection = self._pool.acquire(self._timeout_seconds)
        except PoolExhausted:
            raise RedisConnectionError("all connections are in use") from None
        try:
            connection = connection or self._factory.make_connection()
            _make_ready(connection)
            try:
                return _ask(connection, "EVALSHA", script.sha, len(keys), *keys, *arguments)
            except NoScriptError:
                # The server is new, or was flushed: it was not run, so it is safe to send again, in full.
                return _ask(connection, "EVAL", script.source, len(keys), *keys, *arguments)
        finally:
            self._pool.release(connection)

    def ping(self) -> None:
        """Raise redis.RedisError when Redis does not answer."""
        connection: Any = self._factory.make_connection()
        try:
            _ask(connection, "PING")
        finally:
            connection.disconnect()


def _ask(connection: Any, *command: object) -> Any:
    try:
        connection.send_command(*command, check_health=False)
        return connection.read_response()
    except redis.ResponseError:
        raise  # the server has answered: the connection is as good as before
    except BaseException:
        connection.disconnect()  # an answer may still come, to whoever asks next
        raise


def _make_ready(connection: Any) -> None:
    """Connect anew what the server has closed while it was idle: such a connection is readable."""
    try:
        stale = connection.is_connected and connection.can_read()
    except (redis.RedisError, OSError):
        stale = True
    if stale:
        connection.disconnect()
    if not connection.is_connected:
        connection.connect()
