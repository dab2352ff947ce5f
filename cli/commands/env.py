"""``fastcheck env``"""

import os
from pathlib import Path
from typing import Final

import click

from deploy import installation
from deploy.compose import FOLDER
from deploy.environment import user_settings

#: Credentials that an installation of an older version has in its ``.env``, by their names there.
_OLDER: Final = {"POSTGRES_PASSWORD": "postgres_password", "REDIS_PASSWORD": "redis_password"}


@click.command()
@click.option(
    "--environment",
    type=click.Choice(["sandbox", "production"]),
    default="sandbox",
    show_default=True,
    help="With the sandbox bank, or with real banks.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(),
    help="The folder of docker-compose.yml. Default: the current one.",
)
def env(environment: str, folder: Path) -> None:
    """Write the settings and the secrets of an installation with docker compose.

    Writes .env and the folder "deployment": one file of settings per service, one file per secret. Generates every
    secret that the system chooses itself. FASTCHECK_* variables of the environment take precedence. Values that the
    files already have are kept, so a repeat only adds what is missing. Lists what the operator still has to set.
    """
    known = {field: os.environ[name] for name, field in _OLDER.items() if os.environ.get(name)}
    missing = installation.write(folder, environment, user_settings(), known)
    click.echo(f"Wrote {folder / FOLDER} and {folder / installation.COMPOSE_FILE}, readable to you alone.")
    if missing:
        click.echo("Set before the first start:")
        for sentence in missing:
            click.echo(f"  {sentence}")
