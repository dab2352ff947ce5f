"""``fastcheck env``"""

import os
from pathlib import Path

import click

from deploy import credentials
from deploy.compose import env_file
from deploy.failure import LaunchError, explain_os_error


@click.command()
@click.option(
    "--file", type=click.Path(path_type=Path), default=Path(".env"), show_default=True, help="Where to write."
)
def env(file: Path) -> None:
    """Write a file of random secrets and settings for docker compose.

    Never overwrites one: databases that were made with its passwords would be lost to the services.
    """
    lines = [f"{name}='{value}'\n" for name, value in sorted(env_file(credentials.generate()).items())]
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as output:
            output.writelines(lines)
    except FileExistsError:
        raise LaunchError(f"{file} is there already and was left as it is: move it away for new secrets.") from None
    except OSError as error:
        raise explain_os_error(error, f"write to {file}") from error
    click.echo(f"Wrote {file}, readable to you alone.")
