"""The types of the gateway: kinds of requests, their limits, and an admitted request."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

from pydantic import BeforeValidator
from pydantic_settings import NoDecode

from services.gateway.known_devices import Device


class Rate(StrEnum):
    """Kinds of requests with separate limits, per user or, without a session, per client address."""

    READ = "read"
    #: Requests that move money or change anything.
    WRITE = "write"
    #: New top-ups, each of which is a call to a bank, and later polls.
    TOPUP = "topup"
    #: New accounts, each of which has attempts at codes of its own.
    REGISTER = "register"
    #: Requests that make accounts compute a password hash.
    PASSWORD = "password"  # noqa: S105  the name of a kind of request
    #: Requests without a session, and those with an invalid one.
    GUEST = "guest"
    #: Notifications of banks, which repeat those that are rejected.
    UNLIMITED = "unlimited"


@dataclass(frozen=True, slots=True)
class Limit:
    """Up to ``burst`` requests at once, then one per ``interval_us`` microseconds. A burst of 0 means no limit."""

    per_minute: int
    burst: int

    @property
    def interval_us(self) -> int:
        return 60_000_000 // self.per_minute


def _parse_limit(value: object) -> object:
    """Parse ``600/300``: 600 requests per minute, a burst of 300."""
    if not isinstance(value, str):
        return value
    per_minute, separator, burst = value.partition("/")
    if not separator or not (per_minute.isdigit() and burst.isdigit()) or int(per_minute) < 1:
        raise ValueError("must be written as <per minute>/<at once>, for example 600/300")
    return Limit(int(per_minute), int(burst))


#: A limit as a setting.
RateLimit = Annotated[Limit, NoDecode, BeforeValidator(_parse_limit)]

NO_LIMIT: Final = Limit(per_minute=1, burst=0)


def rate_limit_headers(rate: Rate, limit: Limit, wait_us: int) -> dict[str, str]:
    """Return the headers that report a limit (IETF draft ``ratelimit-headers``, 10).

    ``wait_us`` is positive for a rejected request; otherwise the negative time until the limit is unused again.
    """
    remaining = 0 if wait_us > 0 else limit.burst + wait_us // limit.interval_us
    window_seconds = math.ceil(limit.burst * limit.interval_us / 1_000_000)
    return {
        "RateLimit-Policy": f'"{rate}";q={limit.burst};w={window_seconds}',
        "RateLimit": f'"{rate}";r={remaining};t={math.ceil(abs(wait_us) / 1_000_000)}',
    }


@dataclass(frozen=True, slots=True)
class Call:
    """An admitted request to ``service``, with its user and session if it has one."""

    service: str
    rate: Rate
    user_id: UUID | None = None
    session_hash: str | None = None
    #: The devices that a client without a session has proved to be.
    devices: tuple[Device, ...] = ()
