"""The SBOM lists what the lock file pins."""

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.support.system import ROOT


def test_sbom_lists_every_locked_package_with_its_version_and_hashes(tmp_path: Path) -> None:
    (command,) = re.findall(
        r"cyclonedx-py (requirements .*?) \\\n\s+(.*) --output-file", (ROOT / "Makefile").read_text()
    )
    file = tmp_path / "sbom.json"
    arguments = [*" ".join(command).split(), "--output-file", str(file), "requirements.txt"]
    subprocess.run(
        [sys.executable, "-m", "cyclonedx_py", *arguments], cwd=ROOT, check=True, capture_output=True, timeout=60
    )
    found = json.loads(file.read_text())
    locked = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert len(locked) > 50
    assert sorted((each["name"], each["version"]) for each in found["components"]) == sorted(locked)
    assert all(each["externalReferences"][0]["hashes"] for each in found["components"])
    assert found["metadata"]["component"]["name"] == "fastcheck"


def test_unknown_package_fails_the_comparison_with_known_vulnerabilities() -> None:
    (line,) = [line for line in (ROOT / "Makefile").read_text().splitlines() if "/pip-audit " in line]
    assert " --strict " in line
    assert line.endswith("-r requirements-dev.txt")
