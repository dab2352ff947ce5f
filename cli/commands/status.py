"""``fastcheck status``"""

import json
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from cli.commands.options import data_dir_option
from launcher import state
from launcher.data_dir import DataDir


@click.command()
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs. It holds passwords.")
def status(data_dir: Path, as_json: bool) -> None:
    """Show the processes of a data folder.

    The JSON object has: ready, gateway_url, postgres_url (an administrator's), redis_url, and processes, a list of
    name, pid and, where it serves HTTP, url.
    """
    now = state.now(DataDir(data_dir))
    if as_json:
        click.echo(json.dumps(now.public(), indent=2))
    elif not now.processes:
        click.echo(f"No FastCheck runs in {data_dir}.")
    else:
        _show(now)


def _show(now: state.State) -> None:
    click.echo(f"FastCheck is {'ready' if now.ready else 'not ready'}: {now.gateway_url}")
    table = Table("process", "pid", "url")
    for process in now.processes:
        table.add_row(process.name, str(process.pid), process.url or "")
    Console().print(table)
