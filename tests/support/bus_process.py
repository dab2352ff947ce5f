"""A publisher of nothing in particular, as real processes: its relay and its worker for acknowledgements.

``python -m tests.support.bus_process worker|relay``, told by ``FASTCHECK_PUBLISHER_DATABASE_URL`` and the settings of
the bus. The subscriber of these tests is balance itself, as it runs in production.
"""

import sys

from pydantic import SecretStr

from common.core.logging import configure_logging
from common.core.settings import BusSettings, DatabaseSettings, Settings
from common.db.engine import Database
from common.messaging.bus import register_publisher
from common.messaging.celery_app import create_celery
from common.messaging.relay import Relay
from common.messaging.run import BusProcess, run

NAME = "payments"


class PublisherSettings(Settings, BusSettings, DatabaseSettings):
    publisher_database_url: SecretStr


def build() -> BusProcess:
    """Everything that a service which only publishes brings to the bus."""
    settings = PublisherSettings.load()
    configure_logging(NAME, settings.log_level)
    db = Database(settings.publisher_database_url.get_secret_value(), settings=settings, application_name=NAME)
    app = create_celery(NAME, settings)
    register_publisher(app, NAME, db)
    return BusProcess(app, relay=Relay(NAME, db, app, settings))


if __name__ == "__main__":
    run(build, sys.argv[1:])
