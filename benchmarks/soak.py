"""Soak test under steady load: ``python -m benchmarks.soak 30`` (minutes).

Eight clients read, create and accept without a pause. Each minute is reported in one line with latencies and memory. At
the end the last third is compared with the second one (caches fill during the first), and so are tables and indexes.
"""

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from benchmarks import bloat, meters, system, user_pool
from benchmarks.auditing import audited
from benchmarks.load import Outcome
from benchmarks.results import quantiles_ms
from benchmarks.scenarios import requests
from benchmarks.user_pool import User

USERS: Final = 64
CONNECTIONS: Final = 8
SECONDS: Final = 60.0
#: The shares of a minute for reading and for creating; accepting the created checks takes about the rest.
READING, WRITING = 0.2, 0.4
#: Variation that is normal under load. A larger ratio is reported as growth.
MOST_GROWTH: Final = 1.1


@dataclass(frozen=True, slots=True)
class Minute:
    """The measurements of one minute: (p50, p99) in milliseconds by path, MiB by process."""

    latencies: Mapping[str, tuple[float, float]]
    done: int
    memory: Mapping[str, float]


def watch(running: system.System, users: Sequence[User], minutes: int, say: Callable[[str], None]) -> list[Minute]:
    """Load the system for this many minutes; return the measurements of each."""
    seen = []
    for _ in range(minutes):
        began = time.monotonic()
        seen.append(_one(running, users))
        say(_line(seen[-1], time.monotonic() - began))
    return seen


def _one(running: system.System, users: Sequence[User]) -> Minute:
    url = running.gateway_url
    reads = requests.read_balances(url, users, CONNECTIONS, SECONDS * READING)
    writes, codes = requests.create_checks(url, users, CONNECTIONS, SECONDS * WRITING)
    accepts = requests.accept_checks(url, users, codes, CONNECTIONS)
    outcomes = {"read": reads, "create": writes, "accept": accepts}
    _raise_on_errors(outcomes)
    memory = meters.memory_mib(running.processes)
    quantiles = {name: quantiles_ms(outcome.latencies) for name, outcome in outcomes.items()}
    done = sum(outcome.done for outcome in outcomes.values())
    return Minute({name: (p50, p99) for name, (p50, _, p99) in quantiles.items()}, done, memory)


def _raise_on_errors(outcomes: Mapping[str, Outcome]) -> None:
    failed = {name: outcome.errors for name, outcome in outcomes.items() if outcome.errors}
    if failed:
        raise RuntimeError(f"requests failed: {failed}")


def _line(minute: Minute, seconds: float) -> str:
    times = ", ".join(f"{name} {p50:.1f}/{p99:.1f}" for name, (p50, p99) in minute.latencies.items())
    total = sum(minute.memory.values())
    return f"{seconds:.0f} s: {minute.done:,} requests, p50/p99 ms: {times}; {total:,.0f} MiB"


def compared(seen: Sequence[Minute]) -> str:
    """Return a Markdown table that compares the medians of the second and the last third."""
    third = len(seen) // 3
    middle, last = seen[third : 2 * third], seen[-third:]
    lines = ["| | second third | last third | |", "| --- | ---: | ---: | --- |"]

    def row(name: str, unit: str, figure: Callable[[Minute], float]) -> None:
        before, after = statistics.median(map(figure, middle)), statistics.median(map(figure, last))
        verdict = "grew" if after > before * MOST_GROWTH else "flat"
        lines.append(f"| {name} | {before:,.1f} {unit} | {after:,.1f} {unit} | {verdict} ({after / before:.2f} x) |")

    for path in seen[0].latencies:
        row(f"{path}, p50", "ms", partial(_latency_of, path, 0))
        row(f"{path}, p99", "ms", partial(_latency_of, path, 1))
    for process in seen[0].memory:
        row(process, "MiB", partial(_memory_of, process))
    return "\n".join(lines)


def _latency_of(path: str, place: int, minute: Minute) -> float:
    return minute.latencies[path][place]


def _memory_of(process: str, minute: Minute) -> float:
    return minute.memory[process]


def main(minutes: int) -> None:
    """Load the system, compare, and audit the books."""
    with system.started() as running:
        users = user_pool.register(running, USERS)
        user_pool.enrich(running, users)
        say = partial(print, flush=True)
        last = minutes // 3
        seen = watch(running, users, minutes - last, say)
        before = bloat.inspect_tables(running)
        seen += watch(running, users, last, say)
        print(f"{sum(minute.done for minute in seen):,} requests\n\n{compared(seen)}\n")
        print(f"{bloat.table(before, bloat.inspect_tables(running))}\n")
        print(audited(running))


if __name__ == "__main__":
    main(int(sys.argv[1]))
