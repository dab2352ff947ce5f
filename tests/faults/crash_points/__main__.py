"""``python -m tests.faults.crash_points [--flow NAME]``: run all flows and show a table."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import click
from rich.console import Console
from rich.table import Table

from tests.faults.crash_points.flow import Flow
from tests.faults.crash_points.flows import FLOWS
from tests.faults.crash_points.hooks import KINDS
from tests.faults.crash_points.system import started
from tests.faults.crash_points.users import Users
from tests.faults.crash_points.walk import Result, Walk, describe
from tests.support import servers
from tests.support.servers import Servers


def main() -> int:
    """Exit 0: no death leaves a violation. Exit 1: one does."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.crash_points", description=__doc__)
    parser.add_argument("--flow", action="append", default=[], help="only flows whose name contains this")
    parser.add_argument("--points", action="store_true", help="list every death")
    parser.add_argument("--lanes", type=int, default=os.cpu_count() or 1, help="number of systems that run in parallel")
    options = parser.parse_args()
    left = [flow for flow in FLOWS if not options.flow or any(part in flow.name for part in options.flow)]
    began = time.monotonic()
    with servers.started() as running, ThreadPoolExecutor(options.lanes) as threads:
        lanes = [threads.submit(_walk, running, lane, left, options.points) for lane in range(options.lanes)]
        result = [each for lane in lanes for each in lane.result()]
    _show(result, time.monotonic() - began)
    return 1 if any(each.wrong for each in result) else 0


def _walk(running: Servers, lane: int, left: list[type[Flow]], points: bool) -> list[Result]:
    """Run flows from the list until it is empty."""
    result: list[Result] = []
    with started(running, lane) as system:
        users = Users(system)
        system.restart({})
        users.register()
        while left:
            result.append(Walk(system, users, left.pop(0)).run())
            deaths = [f"    {describe(point)}" for point in result[-1].deaths] if points else []
            click.echo("\n".join([result[-1].report(), *deaths]))
    return result


def _show(result: Sequence[Result], seconds: float) -> None:
    table = Table(title=f"Crash points: every flow, {seconds:.0f} seconds")
    for name in ("flow", *KINDS, "deaths", "wrong", "seconds"):
        table.add_column(name, justify="left" if name == "flow" else "right", no_wrap=True)
    order = [flow.name for flow in FLOWS]
    for each in sorted(result, key=lambda each: order.index(each.flow)):
        counts = [str(each.count(kind)) for kind in KINDS]
        table.add_row(each.flow, *counts, str(len(each.deaths)), str(len(each.wrong)), f"{each.seconds:.1f}")
    table.add_section()
    sums = [str(sum(each.count(kind) for each in result)) for kind in KINDS]
    deaths, wrong = sum(len(each.deaths) for each in result), sum(len(each.wrong) for each in result)
    table.add_row("all", *sums, str(deaths), str(wrong), "")
    Console(width=100).print(table)


if __name__ == "__main__":
    sys.exit(main())
