"""Databases with the tables of the bus, and brokers."""

from collections.abc import Callable, Iterator

import pytest
from pydantic import SecretStr

from common.core.settings import BusSettings, DatabaseSettings
from common.db.engine import Database
from common.messaging.schema import OUTBOX_V1


@pytest.fixture
def bus_settings(redis_url: str) -> BusSettings:
    """A real broker; short times, so that a test need not wait long for a second sending."""
    return BusSettings(broker_url=SecretStr(redis_url), outbox_resend_seconds=0.2, outbox_resend_max_seconds=0.4)


@pytest.fixture
def subscriber_db(make_database: Callable[[str], str]) -> Iterator[Database]:
    """The ledger's database: it has an inbox."""
    db = Database(make_database("balance"), settings=DatabaseSettings(), application_name="test")
    yield db
    db.dispose()


@pytest.fixture
def publisher_db(make_database: Callable[[str], str]) -> Iterator[Database]:
    """A database that has an outbox, and nothing that writes into it but the test."""
    db = Database(make_database("balance"), settings=DatabaseSettings(), application_name="test")
    with db.transaction() as tx:
        tx.exec_driver_sql(OUTBOX_V1)
    yield db
    db.dispose()
