"""Databases with the tables of the bus, and brokers."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from common.bus.schema import FOLLOWED_USERS_V1, OUTBOX_RIGHTS, OUTBOX_V1
from common.core.settings import BusSettings, DatabaseSettings
from common.db.engine import Database
from common.db.rights import runtime_role
from tests.support.bus import SECRETS, Bus
from tests.support.databases import as_owner


@pytest.fixture
def bus_settings(redis_url: str) -> BusSettings:
    """Return settings of a real broker with short resend delays."""
    return BusSettings(broker_url=SecretStr(redis_url), outbox_resend_seconds=0.2, outbox_resend_max_seconds=0.4)


@pytest.fixture
def subscriber_db(make_database: Callable[[str], str]) -> Iterator[Database]:
    """Open the database of the ledger, which has an inbox."""
    db = Database(make_database("balance"), settings=DatabaseSettings(), application_name="test")
    yield db
    db.dispose()


@pytest.fixture
def publisher_db(make_database: Callable[[str], str]) -> Iterator[Database]:
    """Open a database with an outbox that only the test writes."""
    db = Database(make_database("balance"), settings=DatabaseSettings(), application_name="test")
    with as_owner(db) as tx:
        tx.execute(text(OUTBOX_V1))
        tx.execute(text(f"GRANT {', '.join(OUTBOX_RIGHTS.privileges())} ON outbox TO {runtime_role('balance')}"))
        tx.execute(text(FOLLOWED_USERS_V1))
        tx.execute(text(f"GRANT SELECT, INSERT ON followed_users TO {runtime_role('balance')}"))
    yield db
    db.dispose()


@pytest.fixture
def bus(tmp_path: Path, publisher_db: Database, subscriber_db: Database, bus_settings: BusSettings) -> Iterator[Bus]:
    """Return the processes between the two databases, none of them started."""
    settings = {
        "FASTCHECK_BROKER_URL": bus_settings.broker_url.get_secret_value(),
        "FASTCHECK_PUBLISHER_DATABASE_URL": publisher_db.url,
        "FASTCHECK_BALANCE_DATABASE_URL": subscriber_db.url,
        "FASTCHECK_BALANCE_TOKEN_KEY": SECRETS.token_keys["balance"],
        "FASTCHECK_PUBLISHER_TOKEN_KEY": SECRETS.token_keys["payments"],
        "FASTCHECK_TOKEN_PUBLIC_KEYS": json.dumps(SECRETS.public_keys()),
        "FASTCHECK_OUTBOX_RESEND_SECONDS": "0.5",
        "FASTCHECK_OUTBOX_RESEND_MAX_SECONDS": "1",
    }
    with ExitStack() as stack:
        bus = Bus(tmp_path, stack, settings)
        yield bus
        bus.ask_to_stop()
