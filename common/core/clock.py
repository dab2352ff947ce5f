"""The clock as a dependency, so that tests can control it."""

from datetime import UTC, datetime, timedelta
from typing import Protocol, Self

from common.core.settings import Settings


class Clock(Protocol):
    """A source of the current time."""

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""


class SystemClock:
    """The system clock plus ``offset``, which is zero in production."""

    def __init__(self, offset: timedelta = timedelta(0)) -> None:
        self._offset = offset

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Create the clock of a process."""
        return cls(timedelta(seconds=settings.clock_offset_seconds))

    def now(self) -> datetime:
        return datetime.now(UTC) + self._offset


def format_utc(instant: datetime) -> str:
    """Format as ``2026-01-19T09:08:18Z``: UTC in whole seconds, as in the public API."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_utc(text: str) -> datetime:
    """Parse an RFC 3339 time with an offset and return it in UTC; raises ValueError."""
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError("a time needs an offset, for example 2026-01-19T09:08:18Z")
    return instant.astimezone(UTC)
