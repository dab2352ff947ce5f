"""Growth of costs with the size of the books: ``python -m benchmarks.growth FOLDER 10000 1000000`` (numbers of checks).

Each size is a separate system below the folder, created by ``benchmarks.datasets`` if it is missing, and not removed.
All systems run at the same time and are measured alternately for short periods, so that other load on the machine
affects all alike. Each figure is divided by that of the smallest books in the same round; the median of these ratios
counts.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks import datasets, meters, repeated, user_pool
from benchmarks.auditing import audited
from benchmarks.datasets import Dataset
from benchmarks.load import Outcome, message
from benchmarks.results import quantiles_ms
from benchmarks.scenarios import bus, requests
from benchmarks.user_pool import User
from common.http.server.paging import DEFAULT_LIMIT

ROUNDS: Final = 4
CONNECTIONS: Final = 8
SECONDS: Final = 1.5
EXPIRING: Final = 4_000
EXPIRING_ROUNDS: Final = 4
#: The users whose pages are read. The lists of the busiest grow with the books; an ordinary user has fifty lines.
READERS: Final = {"the busiest": slice(0, 2), "an ordinary": slice(2, 4)}
LONG_AGO: Final = (datetime.now(UTC) - timedelta(days=200)).strftime("%Y-%m-%dT00:00:00Z")
PAGES: Final = (f"/balance?at={LONG_AGO}", "/balance/history", "/fastcheck/history", "/fastcheck/active")
#: Pages of checks that readers create first: the cost of a page depends on its lines, so it must be full.
FULL_PAGES: Final = 3

_ENTRIES: Final = "SELECT count(*) FROM entries"
_DISK: Final = "SELECT sum(pg_database_size(oid)) / 1048576 FROM pg_database WHERE datname LIKE 'fastcheck_%'"
#: Milliseconds per full block, in the first and in the last tenth of the chain.
_SEALING: Final = """
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) FROM (
        SELECT 1000 * extract(epoch FROM sealed_at - lag(sealed_at) OVER (ORDER BY block_no)) AS ms,
               ntile(10) OVER (ORDER BY block_no) AS tenth
          FROM chain_blocks WHERE complete_at IS NULL) gaps
     WHERE tenth IN (1, 10) GROUP BY tenth ORDER BY tenth
"""
#: The query of the sweep when nothing is due.
_IDLE_SWEEP: Final = """
    EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)
    SELECT check_id FROM checks WHERE status = 'active' AND closes_at <= now() ORDER BY closes_at LIMIT 500
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """The cost of one path in one round."""

    p50_ms: float
    cpu_ms: float
    per_second: float


@dataclass
class Size:
    """One size of the books: its dataset and its measurements."""

    checks: int
    dataset: Dataset
    codes: requests.Codes = field(default_factory=list)
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)

    def take(self, path: str, act: Callable[[], Outcome]) -> None:
        """Measure one path once."""
        system = self.dataset.system
        before = meters.cpu_seconds(system.processes)
        outcome = act()
        used = sum(meters.used_between(before, meters.cpu_seconds(system.processes)).values())
        if outcome.errors:
            raise RuntimeError(f"{outcome.errors} requests of {path} failed")
        sample = Sample(quantiles_ms(outcome.latencies)[0], 1000 * used / outcome.done, outcome.done / outcome.seconds)
        self.samples.setdefault(path, []).append(sample)


def measure(sizes: Sequence[Size]) -> None:
    """Measure all paths of all sizes alternately."""
    for size in sizes:
        user_pool.enrich(size.dataset.system, size.dataset.users)
        _fill_lists(size.dataset)
        _round(size)  # to warm up
        size.samples.clear()
    for _ in range(ROUNDS):
        for size in sizes:
            _round(size)
    for _ in range(EXPIRING_ROUNDS):
        for size in sizes:
            sweep = bus.expire(size.dataset.system, size.dataset.users, EXPIRING)
            sample = Sample(1000 / sweep.per_second, sweep.cpu_ms, sweep.per_second)
            size.samples.setdefault("expired and refunded", []).append(sample)
    for size in sizes:
        _add_facts(size)


def _fill_lists(dataset: Dataset) -> None:
    """Create checks for the readers until their lists have full pages."""
    for user in (user for readers in READERS.values() for user in dataset.users[readers]):
        for _ in range(FULL_PAGES * DEFAULT_LIMIT):
            status, response = user_pool.call(
                dataset.system, "POST", "/fastcheck", session=user.session, body={"amount": 1}
            )
            if status != 201:
                raise RuntimeError(f"no check was created: {status} {response!r}")


def _round(size: Size) -> None:
    url, users = size.dataset.system.gateway_url, size.dataset.users
    size.take("GET /balance", partial(requests.read_balances, url, users, CONNECTIONS, SECONDS))
    for path in PAGES:
        for who, readers in READERS.items():
            size.take(f"GET {path}, {who} user", partial(_read_page, size, path, size.dataset.users[readers]))
    size.take("POST /fastcheck", partial(_create, size))
    size.take("POST /fastcheck/accept", partial(requests.accept_checks, url, users, size.codes, CONNECTIONS))


def _create(size: Size) -> Outcome:
    dataset = size.dataset
    outcome, size.codes[:] = requests.create_checks(dataset.system.gateway_url, dataset.users, CONNECTIONS, SECONDS)
    return outcome


def _read_page(size: Size, path: str, readers: Sequence[User]) -> Outcome:
    """Read the first two pages repeatedly."""
    dataset = size.dataset
    messages: list[bytes] = []
    for user in readers:
        status, body = user_pool.call(dataset.system, "GET", path, session=user.session)
        if status != 200:
            raise RuntimeError(f"no page of {path}: {status} {body!r}")
        cursor = json.loads(body).get("nextCursor")
        following = [f"{path}?cursor={cursor}"] if cursor else []
        messages += [message("GET", one, session=user.session) for one in (path, *following)]
    return repeated.run(dataset.system.gateway_url, messages, connections=CONNECTIONS, seconds=SECONDS / 2)


def _add_facts(size: Size) -> None:
    system = size.dataset.system
    size.facts["entries"] = f"{system.rows('balance', _ENTRIES)[0][0]:,}"
    plan = system.rows("checks", _IDLE_SWEEP)[0][0][0]["Plan"]
    pages = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    size.facts["pages read by a sweep when nothing is due"] = f"{pages}"
    size.facts["databases, MiB"] = f"{float(system.rows('postgres', _DISK)[0][0]):,.0f}"
    sealing = [float(row[0]) for row in system.rows("balance", _SEALING) if row[0] is not None]
    size.facts["sealing 10,000 transfers, first and last tenth, ms"] = " and ".join(f"{ms:.0f}" for ms in sealing)
    datasets.until_sealed(system)
    began = time.monotonic()
    audited(system)
    size.facts["audit, s"] = f"{time.monotonic() - began:.1f}"


def table(sizes: Sequence[Size]) -> str:
    """Return a Markdown table with a column per size; each figure has its ratio to that of the smallest books."""
    smallest = sizes[0]
    lines = [f"| | {' | '.join(f'{size.checks:,} checks' for size in sizes)} |", f"| --- |{' ---: |' * len(sizes)}"]
    rows = {fact: [size.facts[fact] for size in sizes] for fact in smallest.facts}
    rows |= {path: [_cell(size.samples[path], smallest.samples[path]) for size in sizes] for path in smallest.samples}
    return "\n".join([*lines, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items())])


def _cell(samples: Sequence[Sample], smallest: Sequence[Sample]) -> str:
    def ratio(figure: Callable[[Sample], float]) -> float:
        return statistics.median(figure(a) / figure(b) for a, b in zip(samples, smallest, strict=True))

    per_second = statistics.median(sample.per_second for sample in samples)
    p50 = statistics.median(sample.p50_ms for sample in samples)
    cpu = statistics.median(sample.cpu_ms for sample in samples)
    return (
        f"{per_second:,.0f}/s, p50 {p50:.1f} ms ({ratio(lambda s: s.p50_ms):.2f} x),"
        f" CPU {cpu:.2f} ms ({ratio(lambda s: s.cpu_ms):.2f} x)"
    )


def main(folder: Path, counts: Sequence[int]) -> None:
    """Create missing datasets, measure all, and print the table."""
    for checks in counts:
        if not (folder / str(checks)).exists():
            print(f"{checks:,} checks written in {datasets.make(folder / str(checks), checks):.0f} s", flush=True)
    with ExitStack() as stack:
        sizes = [Size(checks, stack.enter_context(datasets.opened(folder / str(checks)))) for checks in counts]
        measure(sizes)
        print(table(sizes))


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(argument) for argument in sys.argv[2:]])
