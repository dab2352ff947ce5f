"""Fixtures for the tests of checks. See ``world``."""

from collections.abc import Callable, Iterator

import pytest

from tests.integration.checks.world import World, opened


@pytest.fixture
def world(make_database: Callable[[str], str], redis_url: str) -> Iterator[World]:
    """Checks and balance, running, on fresh databases."""
    with opened(
        checks_url=make_database("checks"), balance_url=make_database("balance"), redis_url=redis_url
    ) as running:
        yield running
