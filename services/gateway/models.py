"""The shapes of the gateway: kinds of requests, their limits, and a request on its way to a service."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

from pydantic import BeforeValidator
from pydantic_settings import NoDecode


class Rate(StrEnum):
    """Kinds of requests that are counted apart, per user or, where there is none, per address of the client."""

    READ = "read"
    #: What moves money or changes anything.
    WRITE = "write"
    #: What makes accounts compute a password's hash.
    PASSWORD = "password"  # noqa: S105  the name of a kind of request
    #: What anybody may ask for; also sessions that turn out to be none.
    GUEST = "guest"
    #: Banks: a notification that is refused comes again, and again.
    UNLIMITED = "unlimited"


@dataclass(frozen=True, slots=True)
class Limit:
    """``burst`` requests may come at once, and then one each ``interval_us`` microseconds. A burst of 0 is no limit."""

    per_minute: int
    burst: int

    @property
    def interval_us(self) -> int:
        return 60_000_000 // self.per_minute


def _parse_limit(value: object) -> object:
    """``600/300``: 600 per minute, 300 at once."""
    if not isinstance(value, str):
        return value
    per_minute, separator, burst = value.partition("/")
    if not separator or not (per_minute.isdigit() and burst.isdigit()) or int(per_minute) < 1:
        raise ValueError("must be written as <per minute>/<at once>, for example 600/300")
    return Limit(int(per_minute), int(burst))


#: A limit as a setting.
RateLimit = Annotated[Limit, NoDecode, BeforeValidator(_parse_limit)]

NO_LIMIT: Final = Limit(per_minute=1, burst=0)


@dataclass(frozen=True, slots=True)
class Call:
    """An admitted request on its way to ``service``; for whom, if it bears a session."""

    service: str
    rate: Rate
    user_id: UUID | None = None
    session_hash: str | None = None
