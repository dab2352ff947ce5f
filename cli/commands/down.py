"""``fastcheck down``"""

from pathlib import Path
from typing import Final

import click

from cli.commands.options import data_dir_option
from deploy.failure import LaunchError
from launcher import state
from launcher.data_dir import DataDir

#: Three stages, each with its own time to stop.
TIMEOUT_SECONDS: Final = 60.0


@click.command()
@data_dir_option
def down(data_dir: Path) -> None:
    """Stop the system that runs in a data folder, and wait until it has stopped. The data stays."""
    stopped = state.stop_supervisor(DataDir(data_dir), TIMEOUT_SECONDS)
    if stopped is None:
        click.echo(f"No FastCheck runs in {data_dir}.")
    elif stopped:
        click.echo("FastCheck is stopped.")
    else:
        raise LaunchError(f"FastCheck in {data_dir} has not stopped within {TIMEOUT_SECONDS:.0f} seconds.")
