"""The program that runs mutation tests: what it runs, and how it counts."""

import json
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from tools import mutants


def test_a_module_is_given_as_a_path_or_as_a_dotted_name() -> None:
    for name in ("services/balance/service.py", "services.balance.service"):
        assert mutants.path_of(name) == "services/balance/service.py"


def test_the_longest_prefix_names_the_tests() -> None:
    assert mutants.tests_of("services/checks/models.py") == ["tests/unit/checks"]
    assert "tests/integration/checks" in mutants.tests_of("services/checks/lifecycle/service.py")


@pytest.mark.parametrize("module", ["services.balance.nothing", "launcher/ports.py"])
def test_a_module_that_is_missing_or_has_no_tests_is_an_error(module: str) -> None:
    result = CliRunner().invoke(mutants.main, [module])
    assert result.exit_code == 1
    assert "Error: " in result.output


def test_every_entry_names_files_that_exist() -> None:
    for prefix, entry in tomllib.loads(mutants.MAP.read_text()).items():
        assert (mutants.ROOT / prefix).exists(), prefix
        assert all((mutants.ROOT / test).exists() for test in entry["tests"]), prefix


def test_a_mutant_that_no_test_runs_or_that_was_not_checked_is_a_survivor() -> None:
    codes = {"failed": 1, "timed_out": 36, "passed": 0, "no_tests": 33, "not_checked": None}
    result = mutants.result_of(json.dumps({"exit_code_by_key": codes}))
    assert sorted(result.survivors) == ["no_tests", "not_checked", "passed"]
    assert (result.killed, result.total, result.share) == (2, 5, 0.4)


def test_the_copy_holds_the_sources_and_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutants, "WORK", tmp_path)
    folder = mutants.prepare("services/balance/service.py", ["tests/integration/balance"], only="ledger")
    assert (folder / "services/balance/service.py").read_bytes() == (
        mutants.ROOT / "services/balance/service.py"
    ).read_bytes()
    settings = tomllib.loads((folder / "pyproject.toml").read_text())["tool"]["mutmut"]
    assert settings["only_mutate"] == ["services/balance/service.py"]
    assert settings["pytest_add_cli_args_test_selection"] == ["tests/integration/balance"]
    assert settings["pytest_add_cli_args"][-2:] == ["-k", "ledger"]
