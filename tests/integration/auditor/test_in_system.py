"""The auditor of a running system: it starts with the system and exports the time of the last clean audit."""

import re
import urllib.request

from tests.support.eventually import eventually
from tests.support.system import RunningSystem, fastcheck


def test_running_system_exports_the_time_of_its_last_clean_audit(system: RunningSystem) -> None:
    def last_clean() -> float:
        with urllib.request.urlopen(f"{system.operator_url('auditor')}/metrics", timeout=5) as response:  # noqa: S310
            text = response.read().decode()
        found = re.search(r"^fastcheck_audit_last_clean_timestamp_seconds (\S+)$", text, re.MULTILINE)
        assert found
        return float(found.group(1))

    assert eventually(last_clean, timeout=30) > 0
    assert (system.data_dir / "chain-head").exists() or last_clean() > 0


def test_audit_of_a_running_system_ends_with_0(system: RunningSystem) -> None:
    result = fastcheck("audit", "--data-dir", str(system.data_dir))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "orders paid at the bank" in result.stdout.replace("\n", " ")
