"""Two sorted streams, side by side by their keys: a comparison of any size in the memory of one row."""

from collections.abc import Iterable, Iterator
from typing import Any

Row = tuple[Any, ...]


def side_by_side(left: Iterable[Row], right: Iterable[Row]) -> Iterator[tuple[Row | None, Row | None]]:
    """Pairs of rows whose first columns are equal; None where one side has no such row.

    Both sides must be sorted by their first column and hold each value once.
    """
    lefts, rights = iter(left), iter(right)
    a, b = next(lefts, None), next(rights, None)
    while a is not None or b is not None:
        if b is None or (a is not None and a[0] < b[0]):
            yield a, None
            a = next(lefts, None)
        elif a is None or b[0] < a[0]:
            yield None, b
            b = next(rights, None)
        else:
            yield a, b
            a, b = next(lefts, None), next(rights, None)
