"""Options that several commands share."""

import getpass
import socket
from pathlib import Path
from typing import Final

import click

from launcher.data_dir import DataDir

DEFAULT_DATA_DIR: Final = ".fastcheck"


def _as_data_dir(_context: click.Context, _parameter: click.Parameter, value: Path) -> DataDir:
    return DataDir(value)


data_dir_option = click.option(
    "--data-dir",
    type=click.Path(file_okay=True, dir_okay=True, path_type=Path),
    default=DEFAULT_DATA_DIR,
    show_default=True,
    envvar="FASTCHECK_DATA_DIR",
    callback=_as_data_dir,
    help="The folder that holds all of one system. Two systems in two folders run side by side.",
)


def _who() -> str:
    return f"{getpass.getuser()}@{socket.gethostname()}"


operator_option = click.option("--operator", default=_who, show_default="user@host", help="Who you are.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
