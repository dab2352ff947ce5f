"""Bring a service's database to its newest schema: ``python -m common.db.migrations checks balance``.

Each service keeps Alembic revisions in ``services/<name>/migrations/versions``; its ``env.py`` calls
:func:`run_environment` with the rights of the runtime role. The URL comes from the caller or from
``FASTCHECK_<SERVICE>_MIGRATION_DATABASE_URL``. Its role owns the tables.
"""

import importlib
import sys
from pathlib import Path

from alembic import command, context
from alembic.config import Config
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from common.core.secret_files import read_variable
from common.db import rights
from common.db.rights import DatabaseRights, RightsNotApplied

#: Two migrators of one database wait for each other on this advisory lock.
MIGRATION_LOCK_ID = 7_205_118


def alembic_config(service: str, url: str) -> Config:
    """The Alembic configuration of one service, with nothing read from an ini file."""
    config = Config()
    # By name: the shared library must not import the services.
    package = importlib.import_module(f"services.{service}")
    folder = Path(str(package.__file__)).parent / "migrations"
    config.set_main_option("script_location", str(folder))
    config.attributes["url"] = url
    config.attributes["runtime_role"] = rights.runtime_role(service)
    return config


def upgrade(service: str, url: str) -> None:
    """Migrate one service's database to the head revision."""
    command.upgrade(alembic_config(service, url), "head")


def run_environment(declared: DatabaseRights) -> None:
    """What every ``migrations/env.py`` does: run the revisions in one transaction, one migrator at a time.

    The transaction ends with the rights of the runtime role. Raises RightsNotApplied.
    """
    attributes = context.config.attributes
    engine = create_engine(attributes["url"], poolclass=NullPool)
    with engine.connect() as connection:
        context.configure(connection=connection)
        with context.begin_transaction():
            # The time-outs of the role are for requests.
            for timeout in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
                connection.execute(text(f"SET LOCAL {timeout} = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": MIGRATION_LOCK_ID})
            context.run_migrations()
            rights.apply(connection, attributes["runtime_role"], declared)
        connection.commit()


def main(names: list[str]) -> None:
    """Migrate the services named on the command line."""
    for service in names:
        variable = f"FASTCHECK_{service.upper()}_MIGRATION_DATABASE_URL"
        url = read_variable(variable)
        if not url:
            sys.exit(
                f"{variable} is not set: it is the URL of the role that owns the database of {service}"
                f" ({rights.migration_role(service)}, which `fastcheck provision` makes)"
            )
        try:
            upgrade(service, url)
        except RightsNotApplied as error:
            sys.exit(f"{service}: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
