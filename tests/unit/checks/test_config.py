"""Incomplete settings stop the start with a message that names the variable."""

import pytest

from services.checks.config import ChecksSettings


def test_missing_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CHECKS_DATABASE_URL", "CHECKS_TOKEN_KEY", "CODE_KEYS", "BALANCE_URL", "PUBLIC_URL", "BROKER_URL"):
        monkeypatch.delenv(f"FASTCHECK_{name}", raising=False)
    monkeypatch.setenv("FASTCHECK_CODE_KEYS", "this-is-no-key")
    with pytest.raises(SystemExit) as stopped:
        ChecksSettings.load()
    sentence = str(stopped.value)
    for name in ("CHECKS_DATABASE_URL", "CHECKS_TOKEN_KEY", "CODE_KEYS", "BALANCE_URL", "PUBLIC_URL"):
        assert f"FASTCHECK_{name}" in sentence
    assert "this-is-no-key" not in sentence
