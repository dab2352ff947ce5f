"""Fixtures on real servers. See ``tests/support``.

``make_database(service)`` gives the URL of a fresh, migrated database; ``redis_url`` an empty Redis database of this
worker's own; ``system`` a whole running FastCheck that all tests of the run share.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import redis

from launcher.embedded.pgbouncer import program
from tests.support import databases, servers
from tests.support import system as systems
from tests.support.database_pool import DatabasePool
from tests.support.servers import Servers
from tests.support.system import RunningSystem

_stack = ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    """Own the test run in the controller, or in the only process when there are no workers.

    ``tools/mutants.py`` owns the run of all the test runs that it starts.
    """
    if hasattr(config, "workerinput") or config.option.collectonly or config.option.help:
        return
    if servers.PGBOUNCER_VARIABLE in os.environ and program() is None:
        pytest.exit("skipped: PgBouncer is not installed (Debian: apt-get install pgbouncer)", returncode=0)
    if servers.VARIABLE in os.environ:
        return
    os.environ[servers.VARIABLE] = str(_stack.enter_context(servers.own_run()))


def pytest_unconfigure() -> None:
    """Stop the servers if a test has started them."""
    _stack.close()


@pytest.fixture(scope="session")
def test_servers() -> Servers:
    """The PostgreSQL and the Valkey of this run, started by the first test that needs them."""
    return servers.obtain(servers.run_folder())


@pytest.fixture(scope="session")
def database_pool(test_servers: Servers) -> DatabasePool:
    """Databases that the tests of this worker use one after the other."""
    return DatabasePool(test_servers)


@pytest.fixture
def make_database(test_servers: Servers, database_pool: DatabasePool) -> Iterator[Callable[[str], str]]:
    """``make_database("balance")``: the URL of a migrated database without rows, as the service's settings take it."""
    made: list[tuple[str, str]] = []

    def make(service: str) -> str:
        name = database_pool.take(service)
        made.append((name, service))
        return databases.url(test_servers, service, name)

    yield make
    for name, service in made:
        database_pool.give_back(name, service)


@pytest.fixture
def redis_url(test_servers: Servers) -> str:
    """An empty numbered database of this worker's own, for the broker."""
    return _emptied(test_servers.redis_url(2 * _worker_number()))


@pytest.fixture
def cache_url(test_servers: Servers) -> str:
    """Another one, for sessions and limits."""
    return _emptied(test_servers.redis_url(2 * _worker_number() + 1))


@pytest.fixture(scope="session")
def system(test_servers: Servers) -> RunningSystem:
    """A whole running FastCheck with short lifetimes. Tests share it: each makes its own users and breaks nothing."""
    return systems.shared(servers.run_folder())


def _emptied(url: str) -> str:
    client = redis.Redis.from_url(url)
    client.flushdb()
    client.close()
    return url


def _worker_number() -> int:
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
