"""The databases of the services on the bus, each in the service's own role: an operator changes what they own."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from cli import local_system
from common.core.settings import DatabaseSettings
from common.db.engine import Database
from deploy.environment import database_url
from deploy.failure import LaunchError
from deploy.services import BY_NAME

#: Who writes events into an outbox, and who receives them in an inbox.
PUBLISHERS: Final = ("checks", "payments")
SUBSCRIBERS: Final = ("balance",)
SERVICES: Final = (*SUBSCRIBERS, *PUBLISHERS)


def urls(data_dir: Path) -> dict[str, str]:
    """``FASTCHECK_<SERVICE>_DATABASE_URL``, else the system in the data folder."""
    given = {name: os.environ.get(BY_NAME[name].database_variable, "") for name in SERVICES}
    if all(given.values()):
        return given
    system = local_system.require(data_dir, [BY_NAME[name].database_variable for name in SERVICES])
    return {
        name: url
        or database_url(BY_NAME[name].database, system.credentials.role_passwords[name], system.postgres_address)
        for name, url in given.items()
    }


@contextmanager
def opened(where: Mapping[str, str]) -> Iterator[dict[str, Database]]:
    """The databases by service. Raises LaunchError with a sentence when one of them fails, now or later."""
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
