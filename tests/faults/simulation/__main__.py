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
from tests.faults.simulation.shrinking import shrink, story
from tests.faults.simulation.world import World
from tests.support import servers


def main() -> int:
    """Exit 0: all clean. Exit 1: one was not, or was not the same when it ran again."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many (100)")
    parser.add_argument("--seed", type=int, default=None, help="the first one (by chance)")
    parser.add_argument("--twice", action="store_true", help="run each twice, and compare everything that happened")
    options = parser.parse_args()
    first = random.randrange(10**9) if options.seed is None else options.seed
    with servers.started() as running, simulated_databases(running) as databases:
        return _run(World(databases), first, options.seeds, twice=options.twice)


def _run(world: World, first: int, seeds: int, *, twice: bool) -> int:
    began = time.monotonic()
    everything = hashlib.sha256()
    for number, seed in enumerate(range(first, first + seeds), 1):
        with recorded(world) as lines:
            outcome = run_seed(world, seed)
        everything.update("\n".join(lines).encode())
        if outcome.failed:
            click.echo(story(shrink(world, outcome)))
            return 1
        if twice and (differs := first_difference(world, seed, lines)):
            click.echo(f"seed {seed} was not the same again: {differs}")
            return 1
        if number % 50 == 0 or number == seeds:
            rate = number / (time.monotonic() - began) * 60
            click.echo(f"{number} seeds clean{', twice and the same' if twice else ''}, {rate:.0f} per minute")
    # Of the same seeds it is the same wherever they run.
    click.echo(f"all that happened: {everything.hexdigest()[:16]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
