"""``fastcheck up``"""

from pathlib import Path
from typing import Final

import click

from cli.commands.options import data_dir_option, tls_option
from launcher import system
from launcher.data_dir import DataDir

#: The connections of the embedded PostgreSQL suffice for this number.
MAX_REPLICAS: Final = 8


@click.command()
@data_dir_option
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="The gateway's port. Default: the previous one, else 8000, else a free port.",
)
@click.option(
    "--replicas",
    type=click.IntRange(1, MAX_REPLICAS),
    default=1,
    show_default=True,
    help="Number of processes of each kind: web, worker, scheduler and relay.",
)
@click.option("--without", metavar="PROCESS", help="Leave out one process, such as checks-web, to run it yourself.")
@click.option("--pgbouncer", is_flag=True, help="Connect the services through PgBouncer, which must be installed.")
@click.option("--edge", is_flag=True, help="Serve HTTPS as in production, by Caddy with a private authority.")
@tls_option
def up(
    data_dir: Path,
    port: int | None,
    replicas: int,
    without: str | None,
    *,
    pgbouncer: bool,
    edge: bool,
    tls: bool,
) -> None:
    """Start a system and run it until Ctrl-C.

    Starts PostgreSQL and a Redis-compatible server, creates the databases, runs the migrations, then starts every
    service, worker, scheduler and relay. When all are ready it prints one line:

        FastCheck is ready: http://127.0.0.1:8000

    Processes that exit are restarted. Ctrl-C (or `fastcheck down`) stops everything in order; the data stays for the
    next `fastcheck up`. FASTCHECK_* variables can name existing servers, which are used instead.

    With --tls all processes and servers talk over TLS and identify themselves with certificates. The gateway's address
    is then https://127.0.0.1:8000, and its certificate is signed by the CA in .fastcheck/tls/ca.pem.
    """
    system.run(
        DataDir(data_dir),
        gateway_port=port,
        replicas=replicas,
        without=without,
        with_pgbouncer=pgbouncer,
        with_edge=edge,
        with_tls=tls,
        say=_say,
        ready=_ready,
    )


def _say(sentence: str) -> None:
    click.echo(sentence, err=True)


def _ready(url: str) -> None:
    click.echo(f"FastCheck is ready: {url}")
