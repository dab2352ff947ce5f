"""``fastcheck rabbitmq``"""

import json
from urllib.parse import unquote, urlsplit

import click

from common.core.secret_files import read_variable
from deploy.failure import LaunchError
from deploy.rabbitmq import definitions
from deploy.services import BUS, BY_NAME


@click.command()
@click.option("--vhost", default="fastcheck", show_default=True, help="The virtual host of the broker.")
def rabbitmq(vhost: str) -> None:
    """Print the users and permissions of the services for RabbitMQ, as a definitions file in JSON.

    Reads FASTCHECK_<SERVICE>_BROKER_URL of balance, checks and payments, whose user names are those of the services.
    The file has salted hashes of the passwords: `load_definitions`, or `rabbitmqctl import_definitions`.
    """
    passwords = {name: _password(name) for name in BUS}
    click.echo(json.dumps(definitions(passwords, vhost), indent=2))


def _password(service: str) -> str:
    variable = BY_NAME[service].broker_variable
    url = urlsplit(read_variable(variable))
    if url.username != service or not url.password:
        raise LaunchError(f"{variable} is not amqp://{service}:<password>@host:port/vhost.", exit_code=2)
    return unquote(url.password)
