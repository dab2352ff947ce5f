"""The fixtures of the integration tests."""

from tests.integration.checks.conftest import world

__all__ = ["world"]
