"""``fastcheck audit``, run once and on a schedule: exit codes, messages, JSON, the expected head, metrics."""

import json
import re
import signal
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from auditor import guards, log_events
from auditor.findings import Report
from auditor.metrics import AuditMetrics
from auditor.schedule import run_once
from auditor.sources import Sources
from cli.commands.audit import audit
from deploy.auditor import variable
from deploy.failure import LaunchError
from deploy.provisioning import AUDITOR_ROLE
from launcher.children import Child, Launch
from tests.integration.auditor.conftest import SampleBooks
from tests.support.eventually import eventually
from tests.support.servers import free_ports
from tests.support.system import ROOT, environment, fastcheck


def _settings(books: SampleBooks) -> dict[str, str]:
    return {variable(service): books.servers.postgres_url(name, AUDITOR_ROLE) for service, name in books.names.items()}


def test_clean_books_end_with_0_and_a_summary(sample_books: SampleBooks) -> None:
    result = fastcheck("audit", environ=_settings(sample_books))
    assert result.returncode == 0, result.stderr
    assert "The books are right since the first entry" in result.stdout
    assert "in flight: 80.00 RUB" in result.stdout
    assert re.search(r"^head of the chain: \d+:[0-9a-f]{64}$", result.stdout, re.MULTILINE)


def test_wrong_books_end_with_1_and_name_the_subject(sample_books: SampleBooks) -> None:
    sample_books.damage("balance", "UPDATE accounts SET balance_minor = balance_minor + 1 WHERE user_id = '{alice}'")
    result = fastcheck("audit", environ=_settings(sample_books))
    assert result.returncode == 1
    assert f"WRONG account {sample_books.ids['account of alice']}" in result.stdout.replace("\n", " ")
    assert "The books are not right" in result.stdout


def test_json_output_holds_the_report(sample_books: SampleBooks) -> None:
    result = fastcheck("audit", "--json", "--since", "1h", environ=_settings(sample_books))
    content = json.loads(result.stdout)
    assert (result.returncode, content["clean"]) == (0, True)
    assert content["since"] is not None
    assert len(content["head"]["hash"]) == 64
    assert {item["amount"] for item in content["in_flight"]} == {500, 8_000, 14_000, 16_000}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"FASTCHECK_AUDIT_CHECKS_DATABASE_URL": "postgresql://x:y@127.0.0.1:1/z"},
            "cannot read the database of checks",
        ),
        ({"FASTCHECK_AUDIT_BALANCE_DATABASE_URL": ""}, "No FastCheck runs in"),
    ],
)
def test_unreadable_books_end_with_2(
    sample_books: SampleBooks, tmp_path: Path, change: dict[str, str], sentence: str
) -> None:
    settings = {**_settings(sample_books), **change}
    result = fastcheck("audit", "--data-dir", str(tmp_path), environ=settings)
    assert result.returncode == 2
    assert sentence in result.stderr


def test_every_unreachable_database_is_named(sample_books: SampleBooks) -> None:
    nowhere = "postgresql://x:y@127.0.0.1:1/z"
    for down in (("checks", "payments"), ("payments", "sandbox_bank"), ("checks", "payments", "balance")):
        result = fastcheck("audit", environ={**_settings(sample_books), **{variable(name): nowhere for name in down}})
        assert result.returncode == 2
        assert result.stdout == "", "a report on books that were not read"
        assert [re.search(r"the database of (\w+): .*refused", line) for line in result.stderr.splitlines()]
        assert re.findall(r"the database of (\w+):", result.stderr) == list(down)


def test_connection_lost_during_the_audit_ends_with_2(
    sample_books: SampleBooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in _settings(sample_books).items():
        monkeypatch.setenv(name, value)

    def lose_connection(opened: Sources, _report: Report) -> None:
        sample_books.run(
            "payments",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'fastcheck-audit' AND datname = current_database()",
        )
        opened.payments.rows("SELECT 1")

    monkeypatch.setattr(guards, "examine", lose_connection)
    sample_books.database_url("payments")
    monkeypatch.setenv(variable("payments"), _settings(sample_books)[variable("payments")])
    with pytest.raises(LaunchError, match="cannot read the books to their end") as failure:
        audit.main([], standalone_mode=False)
    assert failure.value.exit_code == 2


def test_error_in_the_auditor_is_not_reported_as_wrong_books(
    sample_books: SampleBooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in _settings(sample_books).items():
        monkeypatch.setenv(name, value)

    def fail(_sources: Sources, _report: Report) -> None:
        raise KeyError("unexpected")

    monkeypatch.setattr(guards, "examine", fail)
    with pytest.raises(LaunchError, match="The audit itself failed") as failure:
        audit.main([], standalone_mode=False)
    assert failure.value.exit_code == 2
    metrics = AuditMetrics()
    assert run_once(sample_books.audit, metrics) is None
    assert metrics.registry.get_sample_value("fastcheck_audit_failures_total") == 1
    assert metrics.registry.get_sample_value("fastcheck_audit_last_clean_timestamp_seconds") == 0


def test_unknown_currency_is_reported_in_minor_units(sample_books: SampleBooks) -> None:
    sample_books.damage("balance", "UPDATE entries SET currency = 'XYZ' WHERE transfer_id = '{credit of topup}'")
    sample_books.damage("checks", "UPDATE checks SET currency = 'XYZ' WHERE check_id = '{pending}'")
    result = fastcheck("audit", environ=_settings(sample_books))
    assert result.returncode == 1, result.stderr
    assert "100000 XYZ" in result.stdout
    assert "in flight: 500 XYZ" in result.stdout


def test_database_of_another_service_ends_with_2(sample_books: SampleBooks) -> None:
    settings = _settings(sample_books)
    settings["FASTCHECK_AUDIT_BALANCE_DATABASE_URL"] = settings["FASTCHECK_AUDIT_CHECKS_DATABASE_URL"]
    result = fastcheck("audit", environ=settings)
    assert result.returncode == 2
    assert "cannot read the books to their end" in result.stderr


def test_invalid_since_ends_with_2(sample_books: SampleBooks) -> None:
    result = fastcheck("audit", "--since", "yesterday", environ=_settings(sample_books))
    assert result.returncode == 2
    assert "2026-01-19T09:08:18Z" in result.stderr


def test_missing_expected_head_is_a_finding(sample_books: SampleBooks) -> None:
    result = fastcheck("audit", "--expect-head", "3:" + "0" * 64, environ=_settings(sample_books))
    assert result.returncode == 1
    assert "the hash chain contains the expected head" in result.stdout


def test_head_file_is_updated_only_after_a_clean_audit(sample_books: SampleBooks, tmp_path: Path) -> None:
    file = tmp_path / "head"
    arguments = ("audit", "--head-file", str(file))
    assert fastcheck(*arguments, environ=_settings(sample_books)).returncode == 0
    saved = file.read_text()
    assert re.fullmatch(r"\d+:[0-9a-f]{64}\n", saved)
    assert fastcheck(*arguments, environ=_settings(sample_books)).returncode == 0
    sample_books.damage("balance", "DELETE FROM chain_links", "DELETE FROM chain_blocks")
    assert fastcheck(*arguments, environ=_settings(sample_books)).returncode == 1
    assert file.read_text() == saved, "the head of wrong books must not replace a verified one"


@contextmanager
def _schedule(
    settings: dict[str, str], folder: Path, *arguments: str, stop_signal: signal.Signals = signal.SIGTERM
) -> Iterator[Child]:
    """Run a process that audits every second."""
    child = Child(
        Launch(
            name="auditor",
            command=[sys.executable, "-m", "cli", "audit", "--every", "1", *arguments],
            env=environment(settings),
            log=folder / "auditor.log",
            stop_signal=stop_signal,
            cwd=ROOT,
        )
    )
    try:
        yield child
    finally:
        child.ask_to_stop()
        eventually(lambda: child.poll() is not None)
        child.end_group()


def _metric(url: str, name: str) -> float:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310  a local URL of the test
            text = response.read().decode()
    except OSError:
        return -1.0
    found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
    assert found, text
    return float(found.group(1))


def test_scheduled_audit_repeats_and_exports_the_time_of_the_last_clean_one(
    sample_books: SampleBooks, tmp_path: Path
) -> None:
    port = next(free_ports())
    url = f"http://127.0.0.1:{port}/metrics"
    arguments = ("--metrics-port", str(port), "--head-file", str(tmp_path / "head"))
    with _schedule(_settings(sample_books), tmp_path, *arguments) as child:
        first = eventually(lambda: max(_metric(url, "fastcheck_audit_last_clean_timestamp_seconds"), 0))
        eventually(lambda: _metric(url, "fastcheck_audit_last_clean_timestamp_seconds") > first)
        assert _metric(url, "fastcheck_audit_findings") == 0
        assert _metric(url, "fastcheck_audit_in_flight") == 4
    assert child.poll() == 0
    lines = [json.loads(line) for line in child.launch.log.read_text().splitlines()]
    assert {line["event"] for line in lines} == {log_events.BOOKS_AUDITED}
    assert all(line["clean"] for line in lines)


def test_scheduled_audit_continues_while_the_books_are_unreadable(sample_books: SampleBooks, tmp_path: Path) -> None:
    settings = {**_settings(sample_books), "FASTCHECK_AUDIT_CHECKS_DATABASE_URL": "postgresql://x:y@127.0.0.1:1/z"}
    with _schedule(settings, tmp_path, stop_signal=signal.SIGINT) as child:
        eventually(lambda: child.launch.log.read_text().count(log_events.BOOKS_UNREADABLE) >= 2)
        assert child.poll() is None
