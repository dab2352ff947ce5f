"""What the Helm chart renders with each value file, and what it has to deploy."""

from functools import cache
from typing import Any, Final

import pytest

from deploy.commands import bus_command, web_command
from deploy.services import SERVICES
from tools import helm_chart
from tools.helm_chart import VALUE_FILES

SANDBOX: Final = {"sandbox-bank-web"}
by_file = pytest.mark.parametrize("name", VALUE_FILES)


@cache
def rendered(name: str) -> list[dict[str, Any]]:
    """Return all objects that the chart renders with a value file."""
    return helm_chart.render(helm_chart.values(name))


def objects(name: str, kind: str) -> dict[str, dict[str, Any]]:
    """Return the objects of one kind by name, without the name of the release."""
    found = [each for each in rendered(name) if each["kind"] == kind]
    by_name = {each["metadata"]["name"].removeprefix("fastcheck-"): each for each in found}
    assert len(by_name) == len(found)
    return by_name


def expected_processes(name: str) -> dict[str, tuple[str, list[str]]]:
    """Return the owner and the command of each process by its name."""
    processes = {"auditor": ("auditor", ["python", "-m", "auditor"])}
    for service in SERVICES:
        for role in ("web", *service.bus_roles):
            command = (
                web_command(service, host="0.0.0.0", port=8000)  # noqa: S104  in a pod
                if role == "web"
                else bus_command(service, role)
            )
            processes[f"{service.name}-{role}".replace("_", "-")] = (service.name, ["python", *command])
    return {key: value for key, value in processes.items() if name == "small" or key not in SANDBOX}
