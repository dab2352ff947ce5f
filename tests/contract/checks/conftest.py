"""The fixtures of the integration tests."""

from tests.integration.checks.conftest import system

__all__ = ["system"]
