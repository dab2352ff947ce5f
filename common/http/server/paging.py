"""Pages by keyset: a cursor says where the last page ended, so the cost of a page does not grow."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from common.core.errors import InvalidRequest

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 500

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items, and the cursor of what follows, if anything does."""

    items: list[T]
    next_cursor: str | None


def encode_cursor(*position: str | int) -> str:
    """An opaque cursor for a position in an order."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, *types: type) -> tuple[object, ...]:
    """The position that :func:`encode_cursor` was given; raises InvalidRequest for anything else."""
    try:
        position = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, UnicodeDecodeError):
        position = None
    if (
        not isinstance(position, list)
        or len(position) != len(types)
        or any(type(value) is not wanted for value, wanted in zip(position, types, strict=True))
    ):
        raise InvalidRequest(errors={"cursor": "is not a cursor that this list gave out"})
    return tuple(position)


def page_of(rows: Sequence[T], limit: int, position: Callable[[T], tuple[str | int, ...]]) -> Page[T]:
    """Make a page of ``limit`` from ``limit + 1`` rows that were asked for."""
    if len(rows) <= limit:
        return Page(list(rows), None)
    items = list(rows[:limit])
    return Page(items, encode_cursor(*position(items[-1])))
