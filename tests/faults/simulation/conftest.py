"""One world per module: each seed empties it."""

from collections.abc import Iterator

import pytest

from tests.faults.simulation.databases import simulated_databases
from tests.faults.simulation.world import World
from tests.support.servers import Servers


@pytest.fixture(scope="module")
def world(test_servers: Servers) -> Iterator[World]:
    """Three fresh databases, and all that plays on them."""
    with simulated_databases(test_servers) as databases:
        yield World(databases)
