"""A minimal publisher as real processes: a relay, a worker for acknowledgements, and a scheduler of an empty task.

``python -m tests.support.bus_process worker|relay|scheduler``, configured by ``FASTCHECK_PUBLISHER_DATABASE_URL`` and
the settings of the bus. The subscriber in these tests is balance, as in production. SIGRTMIN makes the main
thread hang until SIGRTMAX.
"""

import signal
import sys
import threading
import time

from pydantic import SecretStr

from common.bus.process import BusProcess, PeriodicTask, create_bus_process, run
from common.bus.signatures import MessageKeys
from common.core.settings import BusSettings, CallerSettings, DatabaseSettings, Settings
from common.db.engine import Database

NAME = "payments"


class PublisherSettings(Settings, BusSettings, DatabaseSettings, CallerSettings):
    publisher_database_url: SecretStr
    publisher_token_key: SecretStr


def build() -> BusProcess:
    """Create the bus process of a service that only publishes."""
    settings = PublisherSettings.load()
    db = Database.of(settings.publisher_database_url, settings, NAME)
    task = PeriodicTask(f"{NAME}.nothing", 0.5, lambda: None)
    keys = MessageKeys(NAME, settings.publisher_token_key.get_secret_value(), settings.token_public_keys)
    return create_bus_process(keys, settings, db, log_level=settings.log_level, tasks=[task], publishes=True)


def _hang_on_request() -> None:
    resumed = threading.Event()
    signal.signal(signal.SIGRTMAX, lambda *_: resumed.set())

    def hang(*_arguments: object) -> None:
        while not resumed.is_set():
            time.sleep(0.05)

    signal.signal(signal.SIGRTMIN, hang)


if __name__ == "__main__":
    _hang_on_request()
    run(build, sys.argv[1:])
