"""Time as a dependency: services ask a clock that they were given, so tests can hold it."""

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Anything that can tell the time."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""


class SystemClock:
    """The machine's clock, moved by ``offset`` (zero in production; drills set it forward)."""

    def __init__(self, offset: timedelta = timedelta(0)) -> None:
        self._offset = offset

    def now(self) -> datetime:
        return datetime.now(UTC) + self._offset


def format_utc(moment: datetime) -> str:
    """``2026-01-19T09:08:18Z``: UTC, whole seconds, as the public API writes time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_utc(text: str) -> datetime:
    """The inverse of :func:`format_utc`; any RFC 3339 time with an offset is taken, else ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time needs an offset, for example 2026-01-19T09:08:18Z")
    return moment.astimezone(UTC)
