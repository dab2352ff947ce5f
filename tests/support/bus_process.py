"""A minimal publisher as real processes: a relay, a worker for acknowledgements, and a scheduler of an empty task.

``python -m tests.support.bus_process worker|relay|scheduler``, configured by ``FASTCHECK_PUBLISHER_DATABASE_URL`` and
the settings of the bus. The subscriber in these tests is balance, as in production.
"""

import sys

from pydantic import SecretStr

from common.bus.celery_app import ScheduledTask, create_celery, register_task
from common.bus.process import BusProcess, run
from common.bus.publishing import register_publisher
from common.bus.relay import Relay
from common.core.logging import configure_logging
from common.core.settings import BusSettings, DatabaseSettings, Settings
from common.db.engine import Database

NAME = "payments"


class PublisherSettings(Settings, BusSettings, DatabaseSettings):
    publisher_database_url: SecretStr


def build() -> BusProcess:
    """Build the bus process of a service that only publishes."""
    settings = PublisherSettings.load()
    configure_logging(NAME, settings.log_level)
    db = Database(settings.publisher_database_url.get_secret_value(), settings=settings, application_name=NAME)
    app = create_celery(NAME, settings, [ScheduledTask(f"{NAME}.nothing", 0.5)])
    register_publisher(app, NAME, db)
    register_task(app, f"{NAME}.nothing", lambda: None)
    return BusProcess(app, relay=Relay(NAME, db, app, settings))


if __name__ == "__main__":
    run(build, sys.argv[1:])
