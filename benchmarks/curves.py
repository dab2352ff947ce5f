"""Curves over the number of clients as SVG charts."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import pygal

from benchmarks.results import Figures

# pygal adds a finder without ``find_spec`` for its map plugins. Python 3.12 ignores it, and pytest fails on it.
sys.meta_path[:] = [finder for finder in sys.meta_path if hasattr(finder, "find_spec")]

#: File name -> title and the figure that it shows.
CHARTS: Final[dict[str, tuple[str, Callable[[Figures], float]]]] = {
    "throughput": ("Operations per second", lambda figures: figures.per_second),
    "p50": ("p50, milliseconds", lambda figures: figures.p50),
    "p99": ("p99, milliseconds", lambda figures: figures.p99),
    "cpu": ("CPU milliseconds of all processes per operation", lambda figures: figures.cpu_total_ms),
}


def write(folder: Path, series: Mapping[str, Sequence[Figures]]) -> None:
    """Write one SVG file per figure; ``series`` is the figures of each line by ascending number of clients."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (title, value) in CHARTS.items():
        (folder / f"{name}.svg").write_bytes(_chart(title, value, series))


def _chart(title: str, value: Callable[[Figures], float], series: Mapping[str, Sequence[Figures]]) -> bytes:
    # No scripts: a chart in the documentation must not load one from another site.
    chart = pygal.Line(title=title, x_title="clients", js=[], logarithmic=True, width=900, height=520)
    chart.x_labels = [str(figures.connections) for figures in next(iter(series.values()))]
    for name, line in series.items():
        chart.add(name, [round(value(figures), 2) for figures in line])
    rendered: bytes = chart.render()
    return rendered
