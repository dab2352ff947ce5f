"""``fastcheck provision``"""

from urllib.parse import unquote, urlsplit, urlunsplit

import click

from common.core.secret_files import read_variable
from deploy import provisioning
from deploy.auditor import BANK
from deploy.failure import LaunchError
from deploy.services import AUDITOR, BY_NAME, DATABASES

ADMINISTRATOR_VARIABLE = "FASTCHECK_ADMINISTRATOR_DATABASE_URL"
AUDITOR_VARIABLE = "FASTCHECK_AUDITOR_DATABASE_URL"


@click.command()
def provision() -> None:
    """Create roles and databases on an existing PostgreSQL server; can be repeated.

    Reads FASTCHECK_ADMINISTRATOR_DATABASE_URL (a superuser's), FASTCHECK_<SERVICE>_DATABASE_URL and
    FASTCHECK_<SERVICE>_MIGRATION_DATABASE_URL of every service, and FASTCHECK_AUDITOR_DATABASE_URL, or the files that
    these names with _FILE name. Each role gets the password in its URL. Databases of an earlier version get their
    migration role as owner; run the migrations next. Without FASTCHECK_SANDBOX_BANK_DATABASE_URL, no database of the
    sandbox bank is created.
    """
    administrator = urlsplit(_variable(ADMINISTRATOR_VARIABLE))
    # Production has no sandbox bank.
    names = [name for name in DATABASES if name != BANK or read_variable(BY_NAME[name].database_variable)]
    passwords = {name: _password(BY_NAME[name].database_variable) for name in names}
    passwords[AUDITOR] = _password(AUDITOR_VARIABLE)
    owner_passwords = {name: _password(BY_NAME[name].migration_database_variable) for name in names}
    provisioning.provision(
        lambda database: urlunsplit(administrator._replace(path=f"/{database}")), passwords, owner_passwords, names
    )
    click.echo(f"Roles and databases are ready: {', '.join(BY_NAME[name].database for name in names)}.")


def _variable(name: str) -> str:
    value = read_variable(name)
    if not value:
        raise LaunchError(f"{name} is not set.", exit_code=2)
    return value


def _password(variable: str) -> str:
    password = urlsplit(_variable(variable)).password
    if not password:
        raise LaunchError(f"{variable} holds no password.", exit_code=2)
    return unquote(password)
