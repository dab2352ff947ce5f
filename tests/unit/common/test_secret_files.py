"""Secrets in files: ``FASTCHECK_X_FILE`` in place of ``FASTCHECK_X``."""

from pathlib import Path

import pytest

from common.core.secret_files import UnreadableSecret, read_variable
from common.core.settings import BusSettings, CallerSettings, Settings
from services.payments.banks.base import BankEnvironment
from services.payments.banks.tbank import TBankSettings


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text("redis://broker\n")
    return file


def test_setting_is_read_from_its_file_without_the_line_end(monkeypatch: pytest.MonkeyPatch, secret: Path) -> None:
    monkeypatch.setenv("FASTCHECK_BROKER_URL_FILE", str(secret))
    assert BusSettings().broker_url.get_secret_value() == "redis://broker"


def test_json_setting_is_read_from_its_file(monkeypatch: pytest.MonkeyPatch, secret: Path) -> None:
    secret.write_text('{"gateway": "key"}')
    monkeypatch.setenv("FASTCHECK_TOKEN_PUBLIC_KEYS_FILE", str(secret))
    assert CallerSettings().token_public_keys == {"gateway": "key"}


def test_setting_of_a_bank_is_read_from_its_file(monkeypatch: pytest.MonkeyPatch, secret: Path) -> None:
    monkeypatch.setenv("FASTCHECK_TBANK_TERMINAL_KEY", "terminal")
    monkeypatch.setenv("FASTCHECK_TBANK_PASSWORD_FILE", str(secret))
    assert TBankSettings().password.get_secret_value() == "redis://broker"


def test_empty_file_counts_as_not_set(monkeypatch: pytest.MonkeyPatch, secret: Path) -> None:
    secret.write_text("\n")
    monkeypatch.setenv("FASTCHECK_LOG_LEVEL_FILE", str(secret))
    assert Settings(environment="sandbox").log_level == "INFO"
    assert read_variable("FASTCHECK_LOG_LEVEL") == ""


def test_variable_and_file_together_are_rejected(monkeypatch: pytest.MonkeyPatch, secret: Path) -> None:
    monkeypatch.setenv("FASTCHECK_LOG_LEVEL", "DEBUG")
    monkeypatch.setenv("FASTCHECK_LOG_LEVEL_FILE", str(secret))
    with pytest.raises(UnreadableSecret, match="FASTCHECK_LOG_LEVEL and FASTCHECK_LOG_LEVEL_FILE are both set"):
        read_variable("FASTCHECK_LOG_LEVEL")
    with pytest.raises(SystemExit, match="both set"):
        Settings.load()


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_file_that_cannot_be_read_ends_the_process_with_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "absent"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("FASTCHECK_LOG_LEVEL_FILE", str(file))
    with pytest.raises(SystemExit, match=f"FASTCHECK_LOG_LEVEL_FILE: {file} cannot be read"):
        Settings.load()
    monkeypatch.setenv("FASTCHECK_TBANK_PASSWORD_FILE", str(file))
    monkeypatch.delenv("FASTCHECK_LOG_LEVEL_FILE")
    with pytest.raises(SystemExit, match=f"FASTCHECK_TBANK_PASSWORD_FILE: {file} cannot be read"):
        TBankSettings.load(BankEnvironment(environment="sandbox"))


def test_setting_whose_name_ends_in_file_is_no_secret_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """``FASTCHECK_READY_FILE`` is a setting of its own: the file does not exist before the process is ready."""
    monkeypatch.setenv("FASTCHECK_READY_FILE", str(tmp_path / "later"))
    assert Settings(environment="sandbox").environment == "sandbox"
