"""``python -m tests.simulation [--seeds N] [--seed FIRST]``: run seeds, and tell the story of the first that fails."""

import argparse
import random
import sys
import time

import click

from tests.simulation.databases import simulated_databases
from tests.simulation.runner import run_seed
from tests.simulation.shrinking import shrink, story
from tests.simulation.world import World
from tests.support import servers


def main() -> int:
    """Exit 0: all clean. Exit 1: one was not."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many (100)")
    parser.add_argument("--seed", type=int, default=None, help="the first one (by chance)")
    options = parser.parse_args()
    first = random.randrange(10**9) if options.seed is None else options.seed
    with servers.started() as running, simulated_databases(running) as databases:
        world = World(databases)
        began = time.monotonic()
        for number, seed in enumerate(range(first, first + options.seeds), 1):
            outcome = run_seed(world, seed)
            if outcome.failed:
                click.echo(story(shrink(world, outcome)))
                return 1
            if number % 50 == 0 or number == options.seeds:
                rate = number / (time.monotonic() - began) * 60
                click.echo(f"{number} seeds clean, {rate:.0f} per minute")
    return 0


if __name__ == "__main__":
    sys.exit(main())
