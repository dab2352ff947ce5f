"""How two services' books are compared while both are being written.

The older snapshot is of the one who decides (A), the newer of the ledger, which follows (L). What A has decided and L
does not show is either on its way, and then A itself says so with an open event, or it is lost. What L shows and A does
not have yet was decided in between: a third snapshot of the decider (B), newer than L, must bear it out. Statuses only
move forward, so whatever L shows must lie between A and B. Nothing is guessed, and nothing is waited for.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from auditor.findings import Finding, InFlight
from auditor.sources import Row

IDS_AT_ONCE: Final = 5_000

Verdict = Finding | InFlight | None


@dataclass(slots=True)
class Comparison:
    """What came out of comparing one kind of thing: how many, what is wrong, what is on its way."""

    compared: int = 0
    verdicts: list[Finding | InFlight] = field(default_factory=list)
    #: Where A and L do not fit: what both show, until B is asked.
    doubtful: dict[str, tuple[Row | None, Row | None]] = field(default_factory=dict)

    def take(self, verdict: Verdict) -> None:
        if verdict is not None:
            self.verdicts.append(verdict)

    def repeated(self, rule: str, what: str) -> Callable[[Row], None]:
        """What to do with a row whose like was there before."""
        return lambda row: self.verdicts.append(Finding(rule, f"{what} {row[0]}", "is in the books more than once"))


def side_by_side(
    left: Iterable[Row], right: Iterable[Row], repeated: Callable[[Row], None]
) -> Iterator[tuple[Row | None, Row | None]]:
    """Pairs of rows whose first columns are equal; None where one side has no such row.

    Both sides must be sorted by their first column. The memory that it takes is that of two rows. A further row of
    one side with the same first column has nothing to stand beside: it goes to ``repeated``.
    """
    lefts, rights = _distinct(left, repeated), _distinct(right, repeated)
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


def _distinct(rows: Iterable[Row], repeated: Callable[[Row], None]) -> Iterator[Row]:
    last = None
    for row in rows:
        if row[0] == last:
            repeated(row)
        else:
            last = row[0]
            yield row


def in_batches(ids: Iterable[str]) -> Iterator[list[str]]:
    """Ids in lists that a query can take."""
    every = sorted(ids)
    return (every[start : start + IDS_AT_ONCE] for start in range(0, len(every), IDS_AT_ONCE))


def ask_again(
    comparison: Comparison,
    fetch: Callable[[Sequence[str]], Iterable[Row]],
    decide: Callable[[str, Row | None, Row | None, Row | None], Verdict],
) -> None:
    """Look at the doubtful ones in the newest snapshot of the decider: ``decide(id, a, b, l)``."""
    for ids in in_batches(comparison.doubtful):
        newest = {row[0]: row for row in fetch(ids)}
        for key in ids:
            a, seen = comparison.doubtful[key]
            comparison.take(decide(key, a, newest.get(key), seen))
