"""The figures of two systems as Markdown tables, each figure as ``before → after (ratio)``."""

import statistics
from collections.abc import Callable
from typing import Final

from benchmarks import repeated
from benchmarks.comparison import OPERATIONS, Plan, Subject
from benchmarks.results import Figures, median_of

#: Column -> the figure in it and how many digits are shown.
_COLUMNS: Final[dict[str, tuple[Callable[[Figures], float], int]]] = {
    "per second": (lambda figures: figures.per_second, 0),
    "p50 ms": (lambda figures: figures.p50, 1),
    "p99 ms": (lambda figures: figures.p99, 1),
    "CPU ms per operation": (lambda figures: figures.cpu_total_ms, 2),
}

_SMALL_MS: Final = 0.01


def table(before: Subject, after: Subject, plan: Plan) -> str:
    """Return one table of all operations and one of processor time by process, for the same two systems."""
    settings = [(operation, clients) for operation in OPERATIONS for clients in plan.clients]
    lines = [
        f"Each cell: {before.name} → {after.name} (ratio). Medians of {plan.rounds} rounds of {plan.seconds:g} s;",
        "a ratio is the median of the ratios of single rounds, each of two loads that ran one after the other.",
        f"Load generator for reads: {repeated.generator()}.",
        "",
        f"| operation | clients | {' | '.join(_COLUMNS)} | errors |",
        f"| --- | ---: | {'---: | ' * len(_COLUMNS)}---: |",
    ]
    lines += [_row(before, after, *setting) for setting in settings]
    lines += ["", "| operation | clients | CPU ms per operation, by process |", "| --- | ---: | --- |"]
    lines += [_cpu_row(before.figures(*setting), after.figures(*setting)) for setting in settings]
    busiest = max(subject.figures(*setting).generator_busy for subject in (before, after) for setting in settings)
    return "\n".join([*lines, "", f"The busiest process of the load generator worked {busiest:.0%} of its time."])


def _row(before: Subject, after: Subject, operation: str, clients: int) -> str:
    a, b = before.figures(operation, clients), after.figures(operation, clients)
    rounds = [
        (median_of(operation, clients, [one]), median_of(operation, clients, [other]))
        for one, other in zip(before.rounds[operation, clients], after.rounds[operation, clients], strict=True)
    ]
    cells = [
        f"{value(a):,.{digits}f} → {value(b):,.{digits}f} ({_ratio(rounds, value):.2f})"
        for value, digits in _COLUMNS.values()
    ]
    return f"| {operation} | {clients} | {' | '.join(cells)} | {a.errors} → {b.errors} |"


def _ratio(rounds: list[tuple[Figures, Figures]], value: Callable[[Figures], float]) -> float:
    return statistics.median(value(after) / max(value(before), 1e-9) for before, after in rounds)


def _cpu_row(a: Figures, b: Figures) -> str:
    names = sorted({*a.cpu_ms, *b.cpu_ms}, key=lambda name: -a.cpu_ms.get(name, 0.0))
    shown = [
        f"{name} {a.cpu_ms.get(name, 0.0):.2f} → {b.cpu_ms.get(name, 0.0):.2f}"
        for name in names
        if max(a.cpu_ms.get(name, 0.0), b.cpu_ms.get(name, 0.0)) >= _SMALL_MS
    ]
    return f"| {a.name} | {a.connections} | {', '.join(shown)} |"
