"""``python -m tests.faults.chaos``: see ``docs/explanation/chaos.md``."""

import json
import secrets
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from tests.faults.chaos import seeds
from tests.faults.chaos.options import Options
from tests.faults.chaos.outcome import Outcome
from tests.faults.chaos.report import show
from tests.faults.chaos.run import run

DEFAULT_OUT: Final = Path(".fastcheck-chaos")


@click.command(context_settings={"show_default": True})
@click.option("--seed", type=int, help="Run only this seed. By default: all seeds that failed before, then a new one.")
@click.option("--minutes", type=click.FloatRange(0.2, 60), default=9.0, help="Duration of the workload and the faults.")
@click.option("--clients", type=click.IntRange(2, 200), default=24, help="Number of concurrent clients; two per user.")
@click.option("--rate", type=click.FloatRange(1, 1000), default=60.0, help="Target operations per second.")
@click.option("--settle-seconds", type=float, default=30.0, help="Limit for settling after the last fault.")
@click.option("--out", type=click.Path(path_type=Path), default=DEFAULT_OUT, help="Folder for reports and records.")
@click.option("--replicas", type=click.IntRange(1, 8), default=1, help="Replicas of each process.")
@click.option("--rabbitmq", is_flag=True, help="Run the bus on a RabbitMQ node (Debian: rabbitmq-server).")
@click.option("--keep", is_flag=True, help="Keep the data of the system even after a clean run.")
def main(
    *,
    seed: int | None,
    minutes: float,
    clients: int,
    rate: float,
    settle_seconds: float,
    out: Path,
    replicas: int,
    rabbitmq: bool,
    keep: bool,
) -> None:
    """Run a workload on a new FastCheck, inject faults, and compare the clients' records with its books.

    Exit 0: no money lost or duplicated, and all settled in time. Exit 1: violations are printed, and the seed is added
    to tests/faults/chaos/seeds.txt.
    """
    fresh = Options(
        seed=secrets.randbelow(10**6) if seed is None else seed,
        minutes=minutes,
        clients=clients,
        rate=rate,
        out=out,
        settle_seconds=settle_seconds,
        keep=keep,
        replicas=replicas,
        on_rabbitmq=rabbitmq,
    )
    saved = [] if seed is not None else [replace(fresh, seed=s.seed, minutes=s.minutes) for s in seeds.read()]
    console = Console()
    for options in (*saved, fresh):
        outcome = _one(console, replace(options, out=out.absolute() / str(options.seed)))
        if not outcome.is_clean:
            seeds.save(options.seed, options.minutes)
            sys.exit(1)


def _one(console: Console, options: Options) -> Outcome:
    console.print(
        f"[bold]Seed {options.seed}[/]: {options.minutes:g} minutes, {options.clients} clients{_unusual(options)}"
    )
    began = time.time()
    outcome = run(options, lambda sentence: console.print(sentence, highlight=False, soft_wrap=True))
    (options.out / "report.json").write_text(json.dumps(outcome.as_json(), indent=2, ensure_ascii=False))
    show(console, outcome)
    console.print(f"{time.time() - began:.0f} seconds in all.")
    return outcome


def _unusual(options: Options) -> str:
    replicas = f", {options.replicas} replicas" if options.replicas > 1 else ""
    return f"{replicas}, on {options.bus}" if options.on_rabbitmq else replicas


if __name__ == "__main__":
    main()
