"""``python -m tests.faults.simulation [--seeds N] [--seed FIRST] [--twice]``.

Run seeds, and print the trace of the first that fails.
"""

import argparse
import hashlib
import random
import sys
import time

import click

from tests.faults.simulation.databases import simulated_databases
from tests.faults.simulation.runner import first_difference, recorded, run_seed
from tests.faults.simulation.shrinking import shrink, trace
from tests.faults.simulation.system import SimulatedSystem
from tests.support import servers


def main() -> int:
    """Exit 0: no seed has a violation. Exit 1: one has, or differs when it is repeated."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="number of seeds (100)")
    parser.add_argument("--seed", type=int, default=None, help="first seed (random)")
    parser.add_argument("--twice", action="store_true", help="run each seed twice, and compare the recordings")
    options = parser.parse_args()
    first = random.randrange(10**9) if options.seed is None else options.seed
    with servers.started() as running, simulated_databases(running) as databases:
        return _run(SimulatedSystem(databases), first, options.seeds, twice=options.twice)


def _run(system: SimulatedSystem, first: int, seeds: int, *, twice: bool) -> int:
    began = time.monotonic()
    everything = hashlib.sha256()
    for number, seed in enumerate(range(first, first + seeds), 1):
        with recorded(system) as lines:
            outcome = run_seed(system, seed)
        everything.update("\n".join(lines).encode())
        if outcome.failed:
            click.echo(trace(shrink(system, outcome)))
            return 1
        if twice and (differs := first_difference(system, seed, lines)):
            click.echo(f"seed {seed} differs when it is repeated: {differs}")
            return 1
        if number % 50 == 0 or number == seeds:
            rate = number / (time.monotonic() - began) * 60
            click.echo(f"{number} seeds clean{', twice and equal' if twice else ''}, {rate:.0f} per minute")
    # The same seeds have the same hash on every machine.
    click.echo(f"hash of all recordings: {everything.hexdigest()[:16]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
