"""The entry point of the ``fastcheck`` command."""

import importlib
import sys
from typing import Final

import click

from common.core.secret_files import UnreadableSecret
from deploy.failure import LaunchError

#: The module of each command, imported on use, so that `status` does not import what `demo` needs.
COMMANDS: Final = {
    "up": "cli.commands.up",
    "dev": "cli.commands.dev",
    "status": "cli.commands.status",
    "down": "cli.commands.down",
    "demo": "cli.commands.demo",
    "audit": "cli.commands.audit",
    "bench": "cli.commands.bench",
    "events": "cli.commands.events",
    "payments": "cli.commands.payments",
    "reconcile": "cli.commands.reconcile",
    "env": "cli.commands.env",
    "provision": "cli.commands.provision",
    "rabbitmq": "cli.commands.rabbitmq",
}


class LazyGroup(click.Group):
    """A group that imports a command only when it is used or described."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(COMMANDS[cmd_name]), cmd_name)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="fastcheck")
def fastcheck() -> None:
    """FastCheck: top up by card, create checks with a secret code, accept them.

    Runs a system on this machine, shows its processes, runs a demo, and audits the books.
    """


def main() -> None:
    """Run the command; print an expected failure as one sentence on stderr and exit with its code."""
    try:
        fastcheck()
    except UnreadableSecret as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    except LaunchError as error:
        click.echo(str(error), err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
