"""``fastcheck dev``"""

from pathlib import Path
from typing import Final

import click

from cli.commands.options import data_dir_option
from deploy.services import BY_NAME
from launcher import dev as development
from launcher.data_dir import DataDir

ROLES: Final = ("web", "worker", "scheduler", "relay")


@click.command()
@click.argument("service", type=click.Choice(sorted(BY_NAME)))
@click.option("--role", type=click.Choice(ROLES), default="web", show_default=True, help="Which of its processes.")
@data_dir_option
def dev(service: str, role: str, data_dir: Path) -> None:
    """Run one process of SERVICE in the foreground and restart it when its code changes.

    Starts the rest of the system as `fastcheck up` does. The process logs to this terminal, and `breakpoint()` in its
    code opens pdb here. Ctrl-C stops the process and the system; the data stays.
    """
    development.run(DataDir(data_dir), BY_NAME[service], role, say=lambda sentence: click.echo(sentence, err=True))
