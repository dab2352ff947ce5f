"""``fastcheck audit`` as a person and as a schedule use it: exit codes, words, JSON, the kept head, the figures."""

import json
import re
import signal
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditor import books, guards
from auditor.findings import Report
from auditor.metrics import AuditMetrics
from auditor.schedule import run_once
from auditor.sources import Sources, opened, variable
from cli.commands.audit import audit
from deploy.failure import LaunchError
from deploy.provisioning import AUDITOR_ROLE
from launcher.children import Child, Launch
from tests.integration.audit.conftest import Books
from tests.support.eventually import eventually
from tests.support.servers import Servers, _free_ports
from tests.support.system import ROOT, environment, fastcheck


def _settings(books: Books) -> dict[str, str]:
    return {variable(service): books.servers.postgres_url(name, AUDITOR_ROLE) for service, name in books.names.items()}


def test_clean_books_end_with_0_and_a_sentence(books_of_town: Books) -> None:
    result = fastcheck("audit", environ=_settings(books_of_town))
    assert result.returncode == 0, result.stderr
    assert "The books are right from the first entry on" in result.stdout
    assert "on its way: 80.00 RUB" in result.stdout
    assert re.search(r"^head of the chain: \d+:[0-9a-f]{64}$", result.stdout, re.MULTILINE)


def test_wrong_books_end_with_1_and_say_where(books_of_town: Books) -> None:
    books_of_town.damage("balance", "UPDATE accounts SET balance_minor = balance_minor + 1 WHERE user_id = '{anna}'")
    result = fastcheck("audit", environ=_settings(books_of_town))
    assert result.returncode == 1
    assert f"WRONG account {books_of_town.ids['account of anna']}" in result.stdout.replace("\n", " ")
    assert "The books are not right" in result.stdout


def test_json_is_for_programs(books_of_town: Books) -> None:
    result = fastcheck("audit", "--json", "--since", "1h", environ=_settings(books_of_town))
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
def test_books_that_cannot_be_read_end_with_2(
    books_of_town: Books, tmp_path: Path, change: dict[str, str], sentence: str
) -> None:
    settings = {**_settings(books_of_town), **change}
    result = fastcheck("audit", "--data-dir", str(tmp_path), environ=settings)
    assert result.returncode == 2
    assert sentence in result.stderr


def test_every_database_that_is_down_is_named(books_of_town: Books) -> None:
    nowhere = "postgresql://x:y@127.0.0.1:1/z"
    for down in (("checks", "payments"), ("payments", "sandbox_bank"), ("checks", "payments", "balance")):
        result = fastcheck("audit", environ={**_settings(books_of_town), **{variable(name): nowhere for name in down}})
        assert result.returncode == 2
        assert result.stdout == "", "nothing is said of books that were not read"
        assert [re.search(r"the database of (\w+): .*refused", line) for line in result.stderr.splitlines()]
        assert re.findall(r"the database of (\w+):", result.stderr) == list(down)


def test_a_database_that_goes_away_during_the_audit_ends_with_2(
    books_of_town: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in _settings(books_of_town).items():
        monkeypatch.setenv(name, value)

    def go_away(opened: Sources, _report: Report) -> None:
        books_of_town.run(
            "payments",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'fastcheck-audit' AND datname = current_database()",
        )
        opened.payments.rows("SELECT 1")

    monkeypatch.setattr(guards, "examine", go_away)
    books_of_town.database_url("payments")
    monkeypatch.setenv(variable("payments"), _settings(books_of_town)[variable("payments")])
    with pytest.raises(LaunchError, match="cannot read the books to their end") as failure:
        audit.main([], standalone_mode=False)
    assert failure.value.exit_code == 2


def test_a_mistake_of_the_auditor_does_not_look_like_wrong_books(
    books_of_town: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in _settings(books_of_town).items():
        monkeypatch.setenv(name, value)

    def stumble(_sources: Sources, _report: Report) -> None:
        raise KeyError("banana")

    monkeypatch.setattr(guards, "examine", stumble)
    with pytest.raises(LaunchError, match="The audit itself failed") as failure:
        audit.main([], standalone_mode=False)
    assert failure.value.exit_code == 2
    metrics = AuditMetrics()

    def run() -> Report:
        with opened(
            {
                name: books_of_town.servers.postgres_url(books_of_town.names[name], AUDITOR_ROLE)
                for name in books_of_town.names
            }
        ) as sources:
            return books.audit(sources)

    assert run_once(run, metrics) == 0.0
    assert metrics.registry.get_sample_value("fastcheck_audit_failures_total") == 1
    assert metrics.registry.get_sample_value("fastcheck_audit_last_clean_timestamp_seconds") == 0


def test_a_currency_that_there_is_not_is_told_as_it_stands(books_of_town: Books) -> None:
    books_of_town.damage("balance", "UPDATE entries SET currency = 'XYZ' WHERE transfer_id = '{credit of topup}'")
    books_of_town.damage("checks", "UPDATE checks SET currency = 'XYZ' WHERE check_id = '{pending}'")
    result = fastcheck("audit", environ=_settings(books_of_town))
    assert result.returncode == 1, result.stderr
    assert "100000 XYZ" in result.stdout
    assert "on its way: 500 XYZ" in result.stdout


def test_a_database_of_another_kind_ends_with_2(books_of_town: Books) -> None:
    settings = _settings(books_of_town)
    settings["FASTCHECK_AUDIT_BALANCE_DATABASE_URL"] = settings["FASTCHECK_AUDIT_CHECKS_DATABASE_URL"]
    result = fastcheck("audit", environ=settings)
    assert result.returncode == 2
    assert "cannot read the books to their end" in result.stderr


def test_a_moment_that_is_none_is_refused(books_of_town: Books) -> None:
    result = fastcheck("audit", "--since", "yesterday", environ=_settings(books_of_town))
    assert result.returncode == 2
    assert "2026-01-19T09:08:18Z" in result.stderr


def test_an_expected_head_that_is_not_there_is_a_finding(books_of_town: Books) -> None:
    result = fastcheck("audit", "--expect-head", "3:" + "0" * 64, environ=_settings(books_of_town))
    assert result.returncode == 1
    assert "the chain still holds the head that was kept" in result.stdout


def test_the_head_is_kept_in_a_file_and_expected_the_next_time(books_of_town: Books, tmp_path: Path) -> None:
    file = tmp_path / "head"
    arguments = ("audit", "--head-file", str(file))
    assert fastcheck(*arguments, environ=_settings(books_of_town)).returncode == 0
    kept = file.read_text()
    assert re.fullmatch(r"\d+:[0-9a-f]{64}\n", kept)
    assert fastcheck(*arguments, environ=_settings(books_of_town)).returncode == 0
    books_of_town.damage("balance", "DELETE FROM chain_links", "DELETE FROM chain_blocks")
    assert fastcheck(*arguments, environ=_settings(books_of_town)).returncode == 1
    assert file.read_text() == kept, "a head that was not proved must not replace one that was"


@pytest.fixture
def auditor(books_of_town: Books, tmp_path: Path, test_servers: Servers) -> Iterator[tuple[Child, str]]:
    """A process that audits every second, and where its figures are."""
    port = next(_free_ports())
    arguments = ["audit", "--every", "1", "--metrics-port", str(port), "--head-file", str(tmp_path / "head")]
    child = Child(
        Launch(
            name="auditor",
            command=[sys.executable, "-m", "cli", *arguments],
            env=environment(_settings(books_of_town)),
            log=tmp_path / "auditor.log",
            cwd=ROOT,
        )
    )
    yield child, f"http://127.0.0.1:{port}/metrics"
    child.ask_to_stop()
    eventually(lambda: child.poll() is not None)
    child.end_group()


def _figure(url: str, name: str) -> float:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  our own address
            text = answer.read().decode()
    except OSError:
        return -1.0
    found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
    assert found, text
    return float(found.group(1))


def test_a_schedule_audits_again_and_says_when_the_books_were_last_clean(
    auditor: tuple[Child, str], books_of_town: Books
) -> None:
    child, url = auditor
    first = eventually(lambda: max(_figure(url, "fastcheck_audit_last_clean_timestamp_seconds"), 0))
    eventually(lambda: _figure(url, "fastcheck_audit_last_clean_timestamp_seconds") > first)
    assert _figure(url, "fastcheck_audit_findings") == 0
    assert _figure(url, "fastcheck_audit_in_flight") == 4
    child.ask_to_stop()
    assert eventually(lambda: child.poll() is not None)
    assert child.poll() == 0
    lines = [json.loads(line) for line in child.launch.log.read_text().splitlines()]
    assert {line["event"] for line in lines} == {"books audited"}
    assert all(line["clean"] for line in lines)


def test_a_schedule_goes_on_when_the_books_cannot_be_read(tmp_path: Path, books_of_town: Books) -> None:
    settings = {**_settings(books_of_town), "FASTCHECK_AUDIT_CHECKS_DATABASE_URL": "postgresql://x:y@127.0.0.1:1/z"}
    child = Child(
        Launch(
            name="auditor",
            command=[sys.executable, "-m", "cli", "audit", "--every", "1"],
            env=environment(settings),
            log=tmp_path / "auditor.log",
            stop_signal=signal.SIGINT,
            cwd=ROOT,
        )
    )
    try:
        eventually(lambda: child.launch.log.read_text().count("books could not be audited") >= 2)
        assert child.poll() is None
    finally:
        child.ask_to_stop()
        eventually(lambda: child.poll() is not None)
        child.end_group()
