"""The gateway's data in Redis: cached sessions and rate limits.

How ended sessions become invalid at once
-----------------------------------------
The database of accounts is authoritative for sessions. Redis caches it, so that a request costs one round trip to
Redis and no call to accounts::

    verified:<hash of the session id> = "<user id> <since> <until> <seal>"   for a minute at most
    barrier:<user id>                 = <time>                               for 90 seconds

The seal is an HMAC over the session, the user and both times with a key that only the gateway has, so an entry that
another program wrote is ignored: the session is verified with accounts. ``until`` bounds the life of a copied entry.

``since`` is the time at which the gateway started to verify the session with accounts. An entry is valid only if
``since`` is after the barrier of its user; otherwise the session is verified again. A request that ends sessions (sign
out, sign out everywhere, change password) first raises the barrier to GRACE from now, then lets accounts delete the
rows, and returns 204 only if both were done within GRACE. A gateway process that verified the session before the
deletion therefore has a ``since`` before the barrier: its entry is invalid, even if it is written after the 204, so
nothing has to be deleted and the order of writes does not matter. A verification after the barrier finds no row. The
barrier outlives every entry that could be older than it. All times are from Redis's clock, so clock skew between
machines has no effect.

What happens when Redis...

- is unavailable while a session ends: the barrier cannot be raised, so the response is 503 and nothing has ended.
  Entries that Redis still holds must not become valid again after a 204.
- is unavailable otherwise: every request is verified with accounts, and rates are not limited.
- is flushed: entries and barriers are lost. An entry can survive for a minute only if its verification preceded the
  deletion and its write followed the flush, both within the milliseconds of one sign-out.
- loses its last second in a power failure: a barrier can be lost while its entries are not, for a minute.
"""

import base64
import hmac
import threading
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final
from uuid import UUID

import redis
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from common.core.errors import ServiceUnavailable
from common.core.logging import get_logger
from common.core.settings import TlsSettings
from services.gateway import log_events
from services.gateway.models import Limit
from services.gateway.scripts import ScriptRunner

log = get_logger(__name__)

#: Accounts must delete and respond within this time, else there is no 204. Longer than all time-outs of one call.
GRACE_SECONDS: Final = 15
#: Maximum lifetime of an entry, even if accounts allows more.
MAX_CACHE_SECONDS: Final = 60
BARRIER_SECONDS: Final = GRACE_SECONDS + MAX_CACHE_SECONDS + 15

# Microseconds of a Unix time are exact in Lua's numbers (below 2^53), but must not be written as 1.7e+15.
_PRELUDE: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local function text(number)
    return string.format('%.0f', number)
end

-- Returns the microseconds until one more request is allowed. If it is allowed now, counts it if `take` is set, and
-- returns the microseconds until all requests so far are paid off, this one included, as a negative number. The key
-- holds the time at which they are, each with `interval` (GCRA, a leaky bucket).
local function wait_for(key, interval, burst, take)
    interval, burst = tonumber(interval), tonumber(burst)
    if burst == 0 then return 0 end
    local paid = math.max(tonumber(redis.call('GET', key) or 0), now) + interval
    local wait = paid - now - interval * burst
    if wait > 0 then return wait end
    if take then redis.call('SET', key, text(paid), 'PX', math.ceil((paid - now) / 1000)) end
    return now - paid
end

local function is_after_barrier(user, since)
    local barrier = redis.call('GET', 'barrier:' .. user)
    return not barrier or since > tonumber(barrier)
end
"""

# The keys of the user's barrier and limit depend on the entry, so they cannot be declared beforehand. The script
# therefore needs a single Redis, not a cluster.
_LOOK_UP: Final = (
    _PRELUDE
    + """
local entry = redis.call('GET', KEYS[1])
if entry then
    local user, since, till = string.match(entry, '^([%x-]+) (%d+) (%d+) %S+$')
    if user and now < tonumber(till) and is_after_barrier(user, tonumber(since)) then
        return {entry, wait_for('rate:' .. ARGV[1] .. ':' .. user, ARGV[2], ARGV[3], true), text(now)}
    end
end
return {'', wait_for(KEYS[2], ARGV[4], ARGV[5], false), text(now)}
"""
)

_REMEMBER: Final = (
    _PRELUDE
    + """
local entry, user, since, till = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
if now < till and is_after_barrier(user, since) then
    redis.call('SET', KEYS[1], entry, 'PXAT', text(math.floor(till / 1000)))
end
return wait_for(KEYS[2], ARGV[5], ARGV[6], true)
"""
)

_COUNT: Final = _PRELUDE + "return wait_for(KEYS[1], ARGV[1], ARGV[2], true)"

_RAISE_BARRIER: Final = (
    _PRELUDE
    + """
local barrier = math.max(now + ARGV[1] * 1000000, tonumber(redis.call('GET', KEYS[1]) or 0))
return redis.call('SET', KEYS[1], text(barrier), 'EX', ARGV[2])
"""
)


_SCRIPTS: Final = {
    "look_up": _LOOK_UP,
    "remember": _REMEMBER,
    "count": _COUNT,
    "raise_barrier": _RAISE_BARRIER,
}


def seal_key_of(gateway_token_key: str) -> bytes:
    """Derive the key that authenticates cached sessions from the private key that only the gateway has (RFC 5869)."""
    derivation = HKDF(hashes.SHA256(), length=32, salt=None, info=b"fastcheck cached sessions v1")
    return derivation.derive(base64.b64decode(gateway_token_key))


class CacheDown(ServiceUnavailable):
    """Redis did not respond in time, now or within the last ``retry_seconds``. The command may not have run."""


@dataclass(frozen=True, slots=True)
class LookUp:
    """The cached state of a session.

    ``user_id`` is None if the session is not cached; ``since`` is then the argument for ``remember``, and ``wait_us``
    is positive if the client's address has sent too many invalid sessions. Otherwise the request was counted, and
    ``wait_us`` is positive if the user sends too many requests. ``wait_us`` is in microseconds; a negative one is the
    time until the limit is unused again.
    """

    user_id: UUID | None
    wait_us: int
    since: str


class Cache:
    """Redis with bounded waits. Each method takes one round trip, or raises CacheDown."""

    def __init__(
        self,
        url: str,
        *,
        seal_key: bytes,
        pool_size: int,
        timeout_seconds: float,
        retry_seconds: float,
        tls: TlsSettings | None = None,
    ) -> None:
        """Connects to nothing yet. ``seal_key`` authenticates cached sessions, see :func:`seal_key_of`."""
        self._seal_key = seal_key
        self._scripts = ScriptRunner(url, _SCRIPTS, pool_size=pool_size, timeout_seconds=timeout_seconds, tls=tls)
        self._retry_seconds = retry_seconds
        self._closed_until = 0.0
        self._lock = threading.Lock()

    def look_up(self, session_hash: str, rate: str, limit: Limit, guest: str, guest_limit: Limit) -> LookUp:
        """Return the cached session, and count a request of kind ``rate`` for its user."""
        entry, wait_us, now = self._run(
            "look_up",
            [f"verified:{session_hash}", f"rate:{guest}"],
            [rate, limit.interval_us, limit.burst, guest_limit.interval_us, guest_limit.burst],
        )
        if not entry:
            return LookUp(None, wait_us, now)
        sealed, _, seal = entry.rpartition(" ")
        if not hmac.compare_digest(seal.encode(), self._seal(session_hash, sealed).encode()):
            log.error(log_events.FORGED_SESSION_IGNORED)
            # As if it were not cached. The entry that accounts causes replaces this one.
            return LookUp(None, 0, now)
        return LookUp(UUID(sealed[:36]), wait_us, "")

    def remember(self, session_hash: str, user_id: UUID, *, since: str, seconds: int, rate: str, limit: Limit) -> int:
        """Cache a session that accounts verified, and count the request; return ``wait_us`` as in ``LookUp``."""
        until = int(since) + min(seconds, MAX_CACHE_SECONDS) * 1_000_000
        sealed = f"{user_id} {since} {until}"
        entry = f"{sealed} {self._seal(session_hash, sealed)}"
        wait_us: int = self._run(
            "remember",
            [f"verified:{session_hash}", f"rate:{rate}:{user_id}"],
            [entry, str(user_id), since, until, limit.interval_us, limit.burst],
        )
        return wait_us

    def _seal(self, session_hash: str, sealed: str) -> str:
        """Return the HMAC-SHA256 that binds a cached user and its times to the session, in hexadecimal."""
        return hmac.digest(self._seal_key, f"{session_hash} {sealed}".encode(), "sha256").hex()

    def count(self, subject: str, limit: Limit) -> int:
        """Count a request of a subject; return ``wait_us`` as in ``LookUp``."""
        wait_us: int = self._run("count", [f"rate:{subject}"], [limit.interval_us, limit.burst])
        return wait_us

    def raise_barrier(self, user_id: UUID) -> None:
        """Invalidate all cached sessions of the user, including those verified within the next GRACE_SECONDS."""
        self._run("raise_barrier", [f"barrier:{user_id}"], [GRACE_SECONDS, BARRIER_SECONDS])

    def ping(self) -> None:
        """Raise redis.RedisError if Redis does not respond."""
        self._scripts.ping()

    def _run(self, script: str, keys: list[str], arguments: list[Any]) -> Any:
        """Run a script. After a failure, one caller per ``retry_seconds`` probes Redis; all others raise CacheDown."""
        if self._closed_until:
            with self._lock:
                if monotonic() < self._closed_until:
                    raise CacheDown
                self._closed_until = monotonic() + self._retry_seconds
        try:
            answer = self._scripts.run(script, keys, arguments)
        except redis.RedisError as error:
            self._close(error)
            raise CacheDown from error
        if self._closed_until:
            self._open()
        return answer

    def _close(self, error: redis.RedisError) -> None:
        with self._lock:
            first = not self._closed_until
            self._closed_until = monotonic() + self._retry_seconds
        if first:
            log.error(log_events.CACHE_UNAVAILABLE, error=repr(error))

    def _open(self) -> None:
        with self._lock:
            first, self._closed_until = bool(self._closed_until), 0.0
        if first:
            log.warning(log_events.CACHE_AVAILABLE)
