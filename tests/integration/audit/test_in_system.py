"""The auditor beside a running system: started with it, and asked when the books were last clean."""

import re
import urllib.request

from tests.support.eventually import eventually
from tests.support.system import RunningSystem, fastcheck


def test_a_running_system_audits_itself_and_says_when_it_was_last_clean(system: RunningSystem) -> None:
    def last_clean() -> float:
        with urllib.request.urlopen(f"{system.url('auditor')}/metrics", timeout=5) as answer:  # noqa: S310
            text = answer.read().decode()
        found = re.search(r"^fastcheck_audit_last_clean_timestamp_seconds (\S+)$", text, re.MULTILINE)
        assert found
        return float(found.group(1))

    assert eventually(last_clean, timeout=30) > 0
    assert (system.data_dir / "chain-head").exists() or last_clean() > 0


def test_the_books_of_a_running_system_can_be_audited_at_any_time(system: RunningSystem) -> None:
    result = fastcheck("audit", "--data-dir", str(system.data_dir))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "orders paid at the bank" in result.stdout.replace("\n", " ")
