"""The applications of the services with the settings of a system that does not run; none opens a connection."""

import importlib
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from deploy import credentials
from deploy.environment import process_environment, system_settings
from deploy.services import BY_NAME
from services.gateway.clients import SERVICES
from services.gateway.documentation import merge

Documents = dict[str, dict[str, Any]]


def create_app(name: str, monkeypatch: pytest.MonkeyPatch) -> Flask:
    addresses = dict.fromkeys((*BY_NAME, "postgres", "redis"), "127.0.0.1:1")
    settings = system_settings(credentials.generate(), addresses, public_url="http://127.0.0.1:1", user={})
    for variable, value in process_environment(BY_NAME[name], settings).items():
        if variable.startswith("FASTCHECK_"):
            monkeypatch.setenv(variable, value)
    app: Flask = importlib.import_module(f"services.{name}.app").create_app()
    return app


@pytest.fixture(scope="module")
def monkeypatched() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield monkeypatch


@pytest.fixture(scope="module")
def gateway(monkeypatched: pytest.MonkeyPatch) -> Flask:
    return create_app("gateway", monkeypatched)


@pytest.fixture(scope="module")
def documents(monkeypatched: pytest.MonkeyPatch) -> Documents:
    """The document of each service."""
    return {name: create_app(name, monkeypatched).test_client().get("/openapi.json").get_json() for name in SERVICES}


@pytest.fixture(scope="module")
def document(documents: Documents) -> dict[str, Any]:
    """The public document."""
    return merge(documents, "http://x")
