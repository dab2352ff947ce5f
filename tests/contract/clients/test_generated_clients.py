"""Clients that are generated from the document compile in the strictest mode and work against a running system."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.support.system import ROOT, RunningSystem

HERE = Path(__file__).parent
TIMEOUT_SECONDS = 240
NPM_FILES = ("package.json", "package-lock.json")


def run(*command: str | Path, folder: Path, **variables: str) -> str:
    """Run a command, fail with its output if it fails, and return its output."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | variables
    result = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert result.returncode == 0, f"{command[0]} failed: {result.stdout}{result.stderr}"
    return result.stdout


@pytest.fixture
def document(system: RunningSystem, tmp_path: Path) -> Path:
    """The document as the gateway serves it, in a file."""
    path = tmp_path / "openapi.json"
    path.write_bytes(requests.get(f"{system.gateway_url}/openapi.json", timeout=20).content)
    return path


@pytest.fixture
def npm_folder() -> Path:
    """A folder with the locked npm packages, which stays for the next run."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not installed: the TypeScript client cannot be compiled")
    digest = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in NPM_FILES)).hexdigest()[:16]
    folder = ROOT / ".cache" / f"npm-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*NPM_FILES, "tsconfig.json", "flow.ts"):
        shutil.copy(HERE / name, folder / name)
    if not (folder / "node_modules" / ".package-lock.json").exists():
        run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", folder=folder)
    return folder


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
