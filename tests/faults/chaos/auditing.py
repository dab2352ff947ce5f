"""The system's own auditor, asked as an operator asks it."""

import json
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any, Final

from tests.faults.chaos.violation import Violation
from tests.support.system import fastcheck

TIMEOUT_SECONDS: Final = 60.0


def audit(data_dir: Path) -> list[Violation] | None:
    """What ``fastcheck audit`` finds; None when it could not read the books to their end."""
    try:
        result = fastcheck("audit", "--json", "--data-dir", str(data_dir), timeout=TIMEOUT_SECONDS)
        report: dict[str, Any] = json.loads(result.stdout)
    except (TimeoutExpired, ValueError):
        return None
    return [
        Violation(f"fastcheck audit: {finding['rule']}", finding["subject"], finding["message"])
        for finding in report["findings"]
    ]
