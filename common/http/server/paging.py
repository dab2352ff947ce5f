"""Keyset pagination: a cursor encodes the position of the last item, so every page costs the same."""

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
    """Items, and the cursor of the next page, None on the last page."""

    items: list[T]
    next_cursor: str | None


def encode_cursor(*position: str | int) -> str:
    """Return an opaque cursor for a position."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, *types: type) -> tuple[object, ...]:
    """Return the position that :func:`encode_cursor` encoded; raises InvalidRequest for any other cursor."""
    try:
        position = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, UnicodeDecodeError):
        position = None
    if (
        not isinstance(position, list)
        or len(position) != len(types)
        or any(type(value) is not expected for value, expected in zip(position, types, strict=True))
    ):
        raise InvalidRequest(errors={"cursor": "is not a cursor of this list"})
    return tuple(position)


def page_of(rows: Sequence[T], limit: int, position: Callable[[T], tuple[str | int, ...]]) -> Page[T]:
    """Return a page of ``limit`` items from up to ``limit + 1`` rows."""
    if len(rows) <= limit:
        return Page(list(rows), None)
    items = list(rows[:limit])
    return Page(items, encode_cursor(*position(items[-1])))
