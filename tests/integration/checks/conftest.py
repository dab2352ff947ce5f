"""Fixtures for the tests of checks."""

from collections.abc import Callable, Iterator

import pytest

from tests.integration.checks.checks_system import ChecksSystem, running_checks
from tests.integration.checks.grouping import group_always


@pytest.fixture
def system(make_database: Callable[[str], str], redis_url: str) -> Iterator[ChecksSystem]:
    """Run checks and balance on new databases."""
    with running_checks(
        checks_url=make_database("checks"), balance_url=make_database("balance"), redis_url=redis_url
    ) as running:
        yield running


@pytest.fixture
def grouped(system: ChecksSystem) -> ChecksSystem:
    """A system in which every create and accept joins a group."""
    group_always(system)
    return system
