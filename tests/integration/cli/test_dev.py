"""``fastcheck dev`` names what a service can run. ``test_up.py`` runs it."""

from pathlib import Path

import pytest

from tests.support.system import fastcheck


@pytest.mark.parametrize(("service", "role"), [("gateway", "worker"), ("balance", "relay")])
def test_dev_names_the_processes_that_a_service_has(tmp_path: Path, service: str, role: str) -> None:
    refused = fastcheck("dev", service, "--role", role, "--data-dir", str(tmp_path / "data"))
    assert refused.returncode == 1
    assert f"{service} has no process '{role}'; it has: web" in refused.stderr
