"""``fastcheck up``"""

from pathlib import Path
from typing import Final

import click

from cli.commands.options import data_dir_option
from launcher import system
from launcher.data_dir import DataDir

#: What the connections of the embedded PostgreSQL suffice for.
MAX_REPLICAS: Final = 8


@click.command()
@data_dir_option
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="The gateway's port. By default the one of last time, else 8000, else any that is free.",
)
@click.option(
    "--replicas",
    type=click.IntRange(1, MAX_REPLICAS),
    default=1,
    show_default=True,
    help="How often each web process, worker, scheduler and relay runs.",
)
@click.option("--without", metavar="PROCESS", help="Leave out one process, such as checks-web, to run it yourself.")
def up(data_dir: Path, port: int | None, replicas: int, without: str | None) -> None:
    """Start the whole system and stay until Ctrl-C.

    Starts PostgreSQL and a Redis-compatible server of its own, makes the databases, runs the migrations, then starts
    every service, worker, scheduler and relay. When all of it is ready it prints one line:

        FastCheck is ready: http://127.0.0.1:8000

    What dies is started again. Ctrl-C (or `fastcheck down`) stops everything in order; the data stays, and the next
    `fastcheck up` goes on with it. FASTCHECK_* variables that name servers of your own are used instead.
    """
    system.run(DataDir(data_dir), gateway_port=port, replicas=replicas, without=without, say=_say, ready=_ready)


def _say(sentence: str) -> None:
    click.echo(sentence, err=True)


def _ready(url: str) -> None:
    click.echo(f"FastCheck is ready: {url}")
