"""One simulated system per module, which each seed resets."""

from collections.abc import Iterator

import pytest

from tests.faults.simulation.databases import simulated_databases
from tests.faults.simulation.system import SimulatedSystem
from tests.support.servers import Servers


@pytest.fixture(scope="module")
def system(test_servers: Servers) -> Iterator[SimulatedSystem]:
    """A simulated system on three new databases."""
    with simulated_databases(test_servers) as databases:
        yield SimulatedSystem(databases)
