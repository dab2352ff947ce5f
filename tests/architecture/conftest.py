"""Build every application of the system as its process does, without a connection to any server."""

import importlib
from collections.abc import Callable
from typing import Any

import pytest

from deploy.credentials import generate
from deploy.environment import system_settings
from deploy.services import SERVICES


@pytest.fixture
def settings_of_a_system(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Set the environment that the launcher would create."""
    names = ["postgres", "redis", *(service.name for service in SERVICES)]
    addresses = {name: f"127.0.0.1:{20_000 + number}" for number, name in enumerate(names)}
    settings = system_settings(generate(), addresses, public_url=f"http://{addresses['gateway']}", user={})
    # Each process has a user of its own on the broker; the applications connect to none.
    settings["FASTCHECK_BROKER_URL"] = settings["FASTCHECK_CHECKS_BROKER_URL"]
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return settings


@pytest.fixture
def web_app(settings_of_a_system: dict[str, str]) -> Callable[[str], Any]:
    """``web_app("balance")``: return the Flask application of a service."""
    return lambda service: importlib.import_module(f"services.{service}.app").create_app()


@pytest.fixture
def bus_process(settings_of_a_system: dict[str, str]) -> Callable[[str], Any]:
    """``bus_process("balance")``: return the bus process of a service."""
    return lambda service: importlib.import_module(f"services.{service}.worker").build()
