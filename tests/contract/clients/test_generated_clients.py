"""Clients that are generated from the document compile in the strictest mode and work against a running system."""

import shutil
import sys
from pathlib import Path

import pytest
import requests

from tests.support.npm import folder_with_packages, run
from tests.support.system import RunningSystem

HERE = Path(__file__).parent


@pytest.fixture
def document(system: RunningSystem, tmp_path: Path) -> Path:
    """The document as the gateway serves it, in a file."""
    path = tmp_path / "openapi.json"
    path.write_bytes(requests.get(f"{system.gateway_url}/openapi.json", timeout=20).content)
    return path


@pytest.fixture
def npm_folder() -> Path:
    """A folder with the locked npm packages, which stays for the next run."""
    return folder_with_packages(HERE, ["tsconfig.json", "flow.ts"])


def test_typescript_client_compiles_strictly_and_moves_money(
    system: RunningSystem, document: Path, npm_folder: Path
) -> None:
    bin_folder = npm_folder / "node_modules" / ".bin"
    run(bin_folder / "openapi-typescript", document, "-o", npm_folder / "api.d.ts", folder=npm_folder)
    run(bin_folder / "tsc", "--project", "tsconfig.json", folder=npm_folder)
    assert run("node", "built/flow.js", system.gateway_url, folder=npm_folder) == "accepted\n"


def test_python_client_compiles_strictly_and_moves_money(system: RunningSystem, document: Path, tmp_path: Path) -> None:
    generator = Path(sys.executable).with_name("openapi-python-client")
    package = tmp_path / "fastcheck_generated"
    output = run(
        generator,
        "generate",
        *("--path", document, "--meta", "none", "--output-path", package),
        *("--config", HERE / "python-client.yml", "--fail-on-warning"),
        folder=tmp_path,
    )
    assert "WARNING" not in output
    shutil.copy(HERE / "flow.py", tmp_path)
    run(sys.executable, "-m", "mypy", "--strict", "--config-file=", "flow.py", "fastcheck_generated", folder=tmp_path)
    assert run(sys.executable, "flow.py", system.gateway_url, folder=tmp_path, PYTHONPATH=str(tmp_path)) == "accepted\n"
