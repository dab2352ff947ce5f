"""The adapter on a scratch database."""

from collections.abc import Iterator

import psycopg2
import pytest
from pydantic import SecretStr

from tests.faults.conformance.adapter import AdapterSettings, create_app
from tests.faults.conformance.kit import Kit
from tests.support import databases
from tests.support.servers import Servers


@pytest.fixture(scope="session")
def scratch_database(test_servers: Servers) -> Iterator[str]:
    """Return the name of the database that the adapter may empty."""
    name = databases.create(test_servers, "balance")
    yield name
    databases.drop(test_servers, name)


@pytest.fixture(scope="session")
def adapter(test_servers: Servers, scratch_database: str) -> Kit:
    """Return a kit that uses the adapter."""
    url = databases.owner_url(test_servers, "balance", scratch_database)
    return Kit(create_app(AdapterSettings(lck_database_url=SecretStr(url))))


@pytest.fixture
def kit(adapter: Kit) -> Kit:
    """Return the kit with an empty ledger."""
    adapter.reset()
    return adapter


@pytest.fixture
def as_superuser(test_servers: Servers, scratch_database: str) -> Iterator[psycopg2.extensions.cursor]:
    """Return a cursor of the superuser, with triggers and foreign keys off."""
    connection = psycopg2.connect(test_servers.postgres_url(scratch_database))
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("SET session_replication_role = replica")
    yield cursor
    connection.close()
