"""The databases of the services on the bus, each with the service's own role."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from cli import local_system
from common.core.secret_files import read_variable
from common.core.settings import DatabaseSettings
from common.db.engine import Database
from deploy.environment import database_url
from deploy.failure import LaunchError
from deploy.services import BY_NAME

#: The services with an outbox, and those with an inbox.
PUBLISHERS: Final = ("checks", "payments")
SUBSCRIBERS: Final = ("balance",)
SERVICES: Final = (*SUBSCRIBERS, *PUBLISHERS)


def urls(data_dir: Path) -> dict[str, str]:
    """Return URLs by service: ``FASTCHECK_<SERVICE>_DATABASE_URL``, else those of the system in the data folder."""
    given = {name: read_variable(BY_NAME[name].database_variable) for name in SERVICES}
    if all(given.values()):
        return given
    system = local_system.require(data_dir, [BY_NAME[name].database_variable for name in SERVICES])
    return {
        name: url
        or system.database_url(
            database_url(BY_NAME[name].database, system.credentials.role_passwords[name], system.postgres_address)
        )
        for name, url in given.items()
    }


@contextmanager
def opened(where: Mapping[str, str]) -> Iterator[dict[str, Database]]:
    """Open the databases by service. Raise LaunchError if one of them fails within the block."""
    settings = DatabaseSettings(database_pool_size=2)
    made = {name: Database(where[name], settings=settings, application_name="fastcheck-operator") for name in SERVICES}
    try:
        yield made
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise LaunchError(f"FastCheck cannot reach or change its databases: {reason}") from error
    finally:
        for database in made.values():
            database.dispose()
