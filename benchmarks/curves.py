"""Curves over the number of clients as SVG charts."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import pygal

from benchmarks.comparison import OPERATIONS, Plan, Subject
from benchmarks.results import Figures

#: File name -> title and the figure that it shows.
CHARTS: Final[dict[str, tuple[str, Callable[[Figures], float]]]] = {
    "throughput": ("Operations per second", lambda figures: figures.per_second),
    "p50": ("p50, milliseconds", lambda figures: figures.p50),
    "p99": ("p99, milliseconds", lambda figures: figures.p99),
    "cpu": ("CPU milliseconds of all processes per operation", lambda figures: figures.cpu_total_ms),
}


def write(folder: Path, subjects: Sequence[Subject], plan: Plan) -> None:
    """Write one SVG file per figure, with a line per operation and system."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (title, value) in CHARTS.items():
        (folder / f"{name}.svg").write_bytes(_chart(title, value, subjects, plan))


def _chart(title: str, value: Callable[[Figures], float], subjects: Sequence[Subject], plan: Plan) -> bytes:
    # No scripts: a chart in the documentation must not load one from another site.
    chart = pygal.Line(title=title, x_title="clients", js=[], logarithmic=True, width=900, height=520)
    chart.x_labels = [str(clients) for clients in plan.clients]
    for operation in OPERATIONS:
        for subject in subjects:
            values = [round(value(subject.figures(operation, clients)), 2) for clients in plan.clients]
            chart.add(f"{operation}, {subject.name}", values)
    rendered: bytes = chart.render()
    return rendered
