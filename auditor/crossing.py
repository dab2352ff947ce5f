"""Comparison of two services' records while both are being written.

The older snapshot (A) is of the deciding service, the newer one (L) of the ledger, which follows its decisions. A
decision in A that is missing in L is in flight if A has an open event for it; otherwise it is lost. A transfer in L
that is missing in A was decided in between, and a third snapshot of the deciding service (B), newer than L, must
contain the decision. Statuses only move forward, so the state in L must lie between A and B. The comparison waits for
nothing.
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
    """The result of comparing one kind of record: the number compared, the findings, and what is in flight."""

    compared: int = 0
    verdicts: list[Finding | InFlight] = field(default_factory=list)
    #: Pairs (A, L) that do not match, by id, until they are decided with B.
    doubtful: dict[str, tuple[Row | None, Row | None]] = field(default_factory=dict)

    def take(self, verdict: Verdict) -> None:
        if verdict is not None:
            self.verdicts.append(verdict)

    def repeated(self, rule: str, what: str) -> Callable[[Row], None]:
        """Return a function that reports a row with an id that occurred before."""
        return lambda row: self.verdicts.append(Finding(rule, f"{what} {row[0]}", "exists more than once"))


def side_by_side(
    left: Iterable[Row], right: Iterable[Row], repeated: Callable[[Row], None]
) -> Iterator[tuple[Row | None, Row | None]]:
    """Iterate over pairs of rows with equal first columns; None where one side has no such row.

    Both sides must be sorted by their first column. Memory use is two rows. A further row of one side with the same
    first column is passed to ``repeated``.
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
    """Split ids into sorted lists of bounded length."""
    every = sorted(ids)
    return (every[start : start + IDS_AT_ONCE] for start in range(0, len(every), IDS_AT_ONCE))


def decide_doubtful(
    comparison: Comparison,
    fetch: Callable[[Sequence[str]], Iterable[Row]],
    decide: Callable[[str, Row | None, Row | None, Row | None], Verdict],
) -> None:
    """Decide the doubtful pairs with the newest snapshot of the deciding service: ``decide(id, a, b, l)``."""
    for ids in in_batches(comparison.doubtful):
        newest = {row[0]: row for row in fetch(ids)}
        for key in ids:
            a, seen = comparison.doubtful[key]
            comparison.take(decide(key, a, newest.get(key), seen))
