"""Commands of client generators and compilers, and folders with locked npm packages."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.support.system import ROOT

TIMEOUT_SECONDS: Final = 240
NPM_FILES: Final = ("package.json", "package-lock.json")


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


def folder_with_packages(source: Path, others: Sequence[str]) -> Path:
    """Return a folder with the npm packages that ``source`` locks, and copies of ``others``; it stays for the next run.

    Skips the test without node and npm.
    """
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not installed: the TypeScript client cannot be compiled")
    digest = hashlib.sha256(b"".join((source / name).read_bytes() for name in NPM_FILES)).hexdigest()[:16]
    folder = ROOT / ".cache" / f"npm-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*NPM_FILES, *others):
        origin = source / name
        if origin.is_dir():
            shutil.rmtree(folder / name, ignore_errors=True)
            shutil.copytree(origin, folder / name)
        else:
            shutil.copy(origin, folder / name)
    if not (folder / "node_modules" / ".package-lock.json").exists():
        run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", folder=folder)
    return folder
