"""Everything that the gateway keeps in Redis: sessions for a minute, and the limits on rates.

How an ended session is dead at once
------------------------------------
The truth about sessions is in the database of accounts. Here is a memory of it, so that a request costs
one round trip to Redis and none to accounts::

    session:<hash of the session id> = "<user id> <since>"   for a minute at most
    barrier:<user id>                = <moment>              for 90 seconds

``since`` is when the gateway began to ask accounts about the session. An entry counts only if ``since``
is after the barrier of its user; any other is as good as none, and accounts is asked. Who ends sessions
(sign out, everywhere, new password) first raises the barrier to GRACE from now, then lets accounts
delete the rows, and answers 204 only if both were done within GRACE. So whatever gateway process asked
accounts before the rows were deleted has a ``since`` before the barrier: its entry is void whenever it is
written, be it after the 204 (nothing has to be deleted, and no order of writes matters). What is asked
after the barrier is asked of a database that has no such row any more. The barrier outlives every entry
that could be older than it. All moments are Redis's own clock, so those of the machines do not matter.

What happens when Redis...

- is down while a session ends: the barrier cannot be raised, so the answer is 503 and nothing has ended.
  Entries that Redis still holds, and will serve when it is back, must not outlive a 204.
- is down otherwise: accounts is asked about every request, and rates are not limited.
- is flushed: the entries are gone with the barriers. What is left is an entry that was asked for before
  the deletion and written after the flush, both within the milliseconds of one sign-out; it lives a minute.
- loses its last second in a power cut: so may a barrier be lost whose entries are not, for a minute.
"""

import threading
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final
from uuid import UUID

import redis

from common.core.errors import ServiceUnavailable
from common.core.logging import get_logger
from services.gateway.models import Limit
from services.gateway.scripts import Script, ScriptRunner

log = get_logger(__name__)

#: Accounts deletes and answers within this, or there is no 204. Longer than all time-outs of one call together.
GRACE_SECONDS: Final = 15
#: The longest that an entry lives, whatever accounts allows.
MAX_CACHE_SECONDS: Final = 60
BARRIER_SECONDS: Final = GRACE_SECONDS + MAX_CACHE_SECONDS + 15

# Microseconds of a Unix time are exact in Lua's numbers (below 2^53), but must not be written as 1.7e+15.
_PRELUDE: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local function text(number)
    return string.format('%.0f', number)
end

-- The microseconds until one more request is welcome; 0: it is, and if `take` it is counted. One key holds the moment
-- at which all requests so far have been paid for, each with `interval` (a leaky bucket known as GCRA).
local function wait_for(key, interval, burst, take)
    interval, burst = tonumber(interval), tonumber(burst)
    if burst == 0 then return 0 end
    local paid = math.max(tonumber(redis.call('GET', key) or 0), now) + interval
    local wait = paid - now - interval * burst
    if wait > 0 then return wait end
    if take then redis.call('SET', key, text(paid), 'PX', math.ceil((paid - now) / 1000)) end
    return 0
end

local function is_after_barrier(user, since)
    local barrier = redis.call('GET', 'barrier:' .. user)
    return not barrier or since > tonumber(barrier)
end
"""

# The keys of the user's barrier and limit follow from the entry, so they cannot be named beforehand, and
# this is for one Redis and not for a cluster of them.
_LOOK_UP: Final = Script(
    _PRELUDE
    + """
local entry = redis.call('GET', KEYS[1])
if entry then
    local user, since = string.sub(entry, 1, 36), tonumber(string.sub(entry, 38))
    if is_after_barrier(user, since) then
        return {user, wait_for('rate:' .. ARGV[1] .. ':' .. user, ARGV[2], ARGV[3], true), ''}
    end
end
return {'', wait_for(KEYS[2], ARGV[4], ARGV[5], false), text(now)}
"""
)

_REMEMBER: Final = Script(
    _PRELUDE
    + """
local user, since, seconds = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
if seconds > 0 and is_after_barrier(user, since) then
    redis.call('SET', KEYS[1], user .. ' ' .. text(since), 'PXAT', text(math.floor(since / 1000) + seconds * 1000))
end
return wait_for(KEYS[2], ARGV[4], ARGV[5], true)
"""
)

_COUNT: Final = Script(_PRELUDE + "return wait_for(KEYS[1], ARGV[1], ARGV[2], true)")

_RAISE_BARRIER: Final = Script(
    _PRELUDE
    + """
local moment = math.max(now + ARGV[1] * 1000000, tonumber(redis.call('GET', KEYS[1]) or 0))
return redis.call('SET', KEYS[1], text(moment), 'EX', ARGV[2])
"""
)


class CacheDown(ServiceUnavailable):
    """Redis did not answer in time, or has not for a moment. What could have been done is not done."""


@dataclass(frozen=True, slots=True)
class LookUp:
    """What Redis knows of a session.

    ``user_id`` is None when it is not remembered; then ``since`` is the moment to give to ``remember``, and
    ``wait_us`` tells whether the client's address has sent too many false sessions. Otherwise ``wait_us``
    tells whether the user sends too many requests, this one being counted.
    """

    user_id: UUID | None
    wait_us: int
    since: str


class Cache:
    """Redis, with a bound on every wait. Each method is one round trip, or raises CacheDown."""

    def __init__(self, url: str, *, pool_size: int, timeout_seconds: float, retry_seconds: float) -> None:
        """Connects to nothing yet."""
        self._scripts = ScriptRunner(url, pool_size=pool_size, timeout_seconds=timeout_seconds)
        self._retry_seconds = retry_seconds
        self._closed_until = 0.0
        self._lock = threading.Lock()

    def look_up(self, session_hash: str, rate: str, limit: Limit, guest: str, guest_limit: Limit) -> LookUp:
        """Whose session it is, counting a request of kind ``rate`` against him if he is known."""
        user, wait_us, since = self._run(
            _LOOK_UP,
            [f"session:{session_hash}", f"rate:{guest}"],
            [rate, limit.interval_us, limit.burst, guest_limit.interval_us, guest_limit.burst],
        )
        return LookUp(UUID(user) if user else None, wait_us, since)

    def remember(self, session_hash: str, user_id: UUID, *, since: str, seconds: int, rate: str, limit: Limit) -> int:
        """Keep what accounts said, and count the request; returns how many microseconds to wait."""
        wait_us: int = self._run(
            _REMEMBER,
            [f"session:{session_hash}", f"rate:{rate}:{user_id}"],
            [str(user_id), since, min(seconds, MAX_CACHE_SECONDS), limit.interval_us, limit.burst],
        )
        return wait_us

    def count(self, subject: str, limit: Limit) -> int:
        """Count a request against a subject; returns how many microseconds to wait."""
        wait_us: int = self._run(_COUNT, [f"rate:{subject}"], [limit.interval_us, limit.burst])
        return wait_us

    def raise_barrier(self, user_id: UUID) -> None:
        """Make void all that is remembered of the user's sessions, and all that will be within GRACE_SECONDS."""
        self._run(_RAISE_BARRIER, [f"barrier:{user_id}"], [GRACE_SECONDS, BARRIER_SECONDS])

    def ping(self) -> None:
        """Raise when Redis does not answer."""
        self._scripts.ping()

    def _run(self, script: Script, keys: list[str], arguments: list[Any]) -> Any:
        """Run a script, unless Redis has just failed: then only one caller a second tries, and all others go on."""
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
            log.error("cache is down: sessions are asked of accounts, rates are not limited", error=repr(error))

    def _open(self) -> None:
        with self._lock:
            first, self._closed_until = bool(self._closed_until), 0.0
        if first:
            log.warning("cache is back")
