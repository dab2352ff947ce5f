"""Run the system's own auditor."""

import json
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any, Final

from tests.support.system import fastcheck

TIMEOUT_SECONDS: Final = 60.0


def audit(data_dir: Path) -> list[str] | None:
    """Return the findings of ``fastcheck audit``, or None if it could not read all books."""
    try:
        result = fastcheck("audit", "--json", "--data-dir", str(data_dir), timeout=TIMEOUT_SECONDS)
        report: dict[str, Any] = json.loads(result.stdout)
    except (TimeoutExpired, ValueError):
        return None
    return [f"fastcheck audit: {each['rule']}: {each['subject']}: {each['message']}" for each in report["findings"]]
