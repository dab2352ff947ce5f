"""How the costs grow with the books: ``python -m benchmarks.growth 10000 1000000``, the numbers of ledger entries.

Each size gets a system of its own, whose books are written by ``big_books`` before anybody comes.
"""

import sys
import time
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from benchmarks import big_books, people
from benchmarks.auditing import audited
from benchmarks.load import Outcome
from benchmarks.results import quantiles_ms
from benchmarks.scenarios import requests
from benchmarks.system import System, started

_SERVICES: Final = ("balance", "checks", "payments", "sandbox_bank")
_CONNECTIONS: Final = 8
_SECONDS: Final = 4.0
_ENTRIES_PER_USER: Final = 100
_SEAL_TIMEOUT_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class Size:
    """What one size of the books costs."""

    entries: int
    loading_seconds: float
    disk_mib: float
    read: Outcome
    create: Outcome
    accept: Outcome
    audit_seconds: float

    def row(self) -> str:
        cells = [f"{self.entries:,}", f"{self.loading_seconds:.0f} s", f"{self.disk_mib:,.0f} MiB"]
        cells += [
            f"{outcome.done / outcome.seconds:,.0f}/s, p50 {quantiles_ms(outcome.latencies)[0]:.1f} ms"
            for outcome in (self.read, self.create, self.accept)
        ]
        return f"| {' | '.join([*cells, f'{self.audit_seconds:.1f} s'])} |"


HEAD: Final = (
    "| entries | loading | databases | GET /balance | POST /fastcheck | POST /fastcheck/accept | audit |\n"
    "| ---: | ---: | ---: | --- | --- | --- | ---: |"
)


def measure(entries: int) -> Size:
    """Load, wait until the chain has sealed it all, measure, audit."""
    with started() as system:
        began = time.monotonic()
        urls = {
            name: urlunsplit(urlsplit(system.postgres_url)._replace(path=f"/fastcheck_{name}")) for name in _SERVICES
        }
        transfers = big_books.write(urls, entries=entries, users=max(10, entries // _ENTRIES_PER_USER))
        loading_seconds = time.monotonic() - began
        _until_sealed(system, transfers)
        folk = people.register(system, 64)
        people.enrich(system, folk)
        url = system.gateway_url
        requests.read_balances(url, folk, _CONNECTIONS, 1.0)
        read = requests.read_balances(url, folk, _CONNECTIONS, _SECONDS)
        create, codes = requests.create_checks(url, folk, _CONNECTIONS, _SECONDS)
        accept = requests.accept_checks(url, folk, codes, _CONNECTIONS)
        size = "SELECT sum(pg_database_size(oid)) / 1048576 FROM pg_database WHERE datname LIKE 'fastcheck_%'"
        disk_mib = float(system.rows("postgres", size)[0][0])
        began = time.monotonic()
        audited(system)
        return Size(entries, loading_seconds, disk_mib, read, create, accept, time.monotonic() - began)


def _until_sealed(system: System, transfers: int) -> None:
    deadline = time.monotonic() + _SEAL_TIMEOUT_SECONDS
    while int(system.rows("balance", "SELECT COALESCE(max(last_no), 0) FROM chain_blocks")[0][0]) < transfers:
        if time.monotonic() > deadline:
            raise RuntimeError("the chain was not sealed in time")
        time.sleep(0.2)


if __name__ == "__main__":
    print(HEAD)
    for argument in sys.argv[1:]:
        print(measure(int(argument)).row(), flush=True)
