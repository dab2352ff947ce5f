"""The services of the integration tests, running."""

from tests.integration.checks.conftest import world

__all__ = ["world"]
