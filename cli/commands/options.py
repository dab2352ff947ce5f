"""Options that several commands share."""

import getpass
import socket
from pathlib import Path
from typing import Final

import click

DEFAULT_DATA_DIR: Final = ".fastcheck"


def _absolute(_context: click.Context, _parameter: click.Parameter, value: Path) -> Path:
    return value.expanduser().absolute()


data_dir_option = click.option(
    "--data-dir",
    type=click.Path(file_okay=True, dir_okay=True, path_type=Path),
    default=DEFAULT_DATA_DIR,
    show_default=True,
    envvar="FASTCHECK_DATA_DIR",
    callback=_absolute,
    help="The folder that holds all data of one system. Systems in different folders can run at the same time.",
)


def _current_user() -> str:
    return f"{getpass.getuser()}@{socket.gethostname()}"


operator_option = click.option(
    "--operator", default=_current_user, show_default="user@host", help="The operator's name for the audit trail."
)
tls_option = click.option(
    "--tls", is_flag=True, help="Use TLS with client certificates for all connections; needs stunnel."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
