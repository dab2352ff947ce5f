"""Databases with the tables of the bus, and brokers."""

from collections.abc import Callable, Iterator

import pytest
from pydantic import SecretStr

from common.core.settings import BusSettings, DatabaseSettings
from common.db.engine import Database


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
    """The checks' database: it has an outbox."""
    db = Database(make_database("checks"), settings=DatabaseSettings(), application_name="test")
    yield db
    db.dispose()
