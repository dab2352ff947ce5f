"""Users of the Redis server (ACL): one per service, with the keys and commands that it needs and no channel.

A service reads its own queues and writes to those of its correspondents. The gateway has the keys of the cache and
nothing of the broker. The default user, whose password only the launcher and the operator have, administers the server.
"""

from hashlib import sha256
from typing import Final
from urllib.parse import quote

from common.bus.topology import acknowledgements_queue, events_queue
from common.contracts.events import PUBLISHERS, SUBSCRIBERS
from deploy.services import GATEWAY

#: Commands that redis-py sends on each connection.
_CONNECTION: Final = ("ping", "hello", "auth", "select", "client|setinfo", "client|setname")
#: Commands of kombu's transport: queues are lists, unacknowledged messages are a hash and a sorted set.
_BROKER: Final = (
    *_CONNECTION,
    *("lpush", "rpush", "brpop", "rpop", "llen"),
    *("hset", "hget", "hdel", "zadd", "zrem", "zrange", "zrevrangebyscore"),
    *("multi", "exec", "discard", "watch", "unwatch"),
    # The lock that one process holds while it restores messages of a dead worker.
    *("set", "get", "del", "evalsha", "script|load"),
)
#: The gateway runs scripts, see ``services/gateway/repository.py``, and these commands within them.
_CACHE: Final = (*_CONNECTION, "evalsha", "script|load", "time", "get", "set")
_CACHE_KEYS: Final = ("~verified:*", "~rate:*", "~barrier:*")


def users(passwords: dict[str, str]) -> dict[str, str]:
    """Return the rules of each user as in a line ``user <name> <rules>`` of the server's configuration.

    ``passwords`` is by service. The rules contain their SHA-256, which opens nothing.
    """
    return {name: _rules(name, password) for name, password in passwords.items()}


def configuration(passwords: dict[str, str]) -> str:
    """Return the lines of the server's configuration that define the users."""
    return "".join(f"user {name} {rules}\n" for name, rules in users(passwords).items())


def url(service: str, password: str, address: str, number: int) -> str:
    """Return the URL of a numbered database for the user of a service; ``address`` is ``host:port``."""
    return f"redis://{service}:{quote(password, safe='')}@{address}/{number}"


def _rules(service: str, password: str) -> str:
    is_gateway = service == GATEWAY
    keys = _CACHE_KEYS if is_gateway else _broker_keys(service)
    commands = _CACHE if is_gateway else _BROKER
    allowed = " ".join(f"+{command}" for command in commands)
    hashed = sha256(password.encode()).hexdigest()
    return f"on #{hashed} resetkeys {' '.join(keys)} resetchannels -@all {allowed}"


def _broker_keys(service: str) -> tuple[str, ...]:
    """Return the patterns of keys: all of the service's own, and write-only the queues that it sends to.

    The asterisk is for kombu's queues per priority, whose names have a suffix.
    """
    return (f"~{service}.*", *(f"%W~{queue}*" for queue in sends_to(service)))


def sends_to(service: str) -> list[str]:
    """Return the queues of other services to which a service sends: events to subscribers, or acknowledgements."""
    events = {
        events_queue(name) for kind, source in PUBLISHERS.items() if source == service for name in SUBSCRIBERS[kind]
    }
    acknowledgements = {
        acknowledgements_queue(source) for kind, source in PUBLISHERS.items() if service in SUBSCRIBERS[kind]
    }
    return sorted(events | acknowledgements)
