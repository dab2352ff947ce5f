"""Measurements and their targets."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from benchmarks.load import Outcome


@dataclass(frozen=True, slots=True)
class Figures:
    """One operation at one concurrency: medians over the rounds. Latencies are in milliseconds."""

    name: str
    connections: int
    per_second: float
    p50: float
    p95: float
    p99: float
    errors: int
    cpu_ms: Mapping[str, float] = field(default_factory=dict)
    generator_busy: float = 0.0
    round_trips: float | None = None
    commits: float | None = None

    @property
    def cpu_total_ms(self) -> float:
        return sum(self.cpu_ms.values())


@dataclass(frozen=True, slots=True)
class Target:
    """A figure and its minimum or maximum."""

    name: str
    wanted: float
    reached: float
    unit: str
    at_most: bool = False

    @property
    def met(self) -> bool:
        return self.reached <= self.wanted if self.at_most else self.reached >= self.wanted

    @property
    def part(self) -> float:
        """The ratio to the target: 1 if it is just met, more if it is exceeded."""
        return self.wanted / max(self.reached, 1e-9) if self.at_most else self.reached / max(self.wanted, 1e-9)


@dataclass
class Report:
    """The results of one run."""

    machine: str
    floors: dict[str, float] = field(default_factory=dict)
    figures: list[Figures] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    memory_mib: dict[str, float] = field(default_factory=dict)

    def series(self) -> dict[str, list[Figures]]:
        """Return the figures of each path that was measured at several concurrencies, in ascending order."""
        names = dict.fromkeys(item.name for item in self.figures)
        lines = {name: [item for item in self.figures if item.name == name] for name in names}
        return {name: line for name, line in lines.items() if len(line) > 1}

    def of(self, name: str, connections: int) -> Figures:
        """Return the figures of one operation at one concurrency."""
        return next(item for item in self.figures if (item.name, item.connections) == (name, connections))


_QUANTILES: Final = (0.50, 0.95, 0.99)


def quantiles_ms(latencies: Sequence[float]) -> tuple[float, float, float]:
    """Return p50, p95 and p99 in milliseconds."""
    ordered = sorted(latencies)
    p50, p95, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1000 for part in _QUANTILES)
    return p50, p95, p99


def median_of(name: str, connections: int, rounds: Sequence[tuple[Outcome, Mapping[str, float]]]) -> Figures:
    """Return the medians over rounds, each an outcome and the CPU seconds of each process in it."""
    quantiles = [quantiles_ms(outcome.latencies) for outcome, _ in rounds]
    names = {process for _, cpu in rounds for process in cpu}
    return Figures(
        name=name,
        connections=connections,
        per_second=statistics.median(outcome.done / outcome.seconds for outcome, _ in rounds),
        p50=statistics.median(item[0] for item in quantiles),
        p95=statistics.median(item[1] for item in quantiles),
        p99=statistics.median(item[2] for item in quantiles),
        errors=sum(outcome.errors for outcome, _ in rounds),
        cpu_ms={
            process: statistics.median(cpu.get(process, 0.0) / max(outcome.done, 1) * 1000 for outcome, cpu in rounds)
            for process in sorted(names)
        },
        generator_busy=max(outcome.busy for outcome, _ in rounds),
    )
