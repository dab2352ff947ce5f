"""The files that ``fastcheck env`` writes: complete, private, kept at a repeat; no sandbox in production."""

import stat
from pathlib import Path

import pytest

from deploy import installation
from deploy.compose import FOLDER, SECRETS
from deploy.failure import LaunchError

PRODUCTION = {
    "FASTCHECK_PUBLIC_URL": "https://pay.example",
    "FASTCHECK_TBANK_TERMINAL_KEY": "terminal",
    "FASTCHECK_TBANK_PASSWORD": "from the bank",
}


def write(root: Path, environment: str, user: dict[str, str] | None = None) -> list[str]:
    return installation.write(root, environment, user or {}, {})


def content(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() for path in sorted(root.rglob("*")) if path.is_file()}


def text(root: Path, name: str) -> str:
    return (root / FOLDER / name).read_text()


def test_sandbox_is_complete(tmp_path: Path) -> None:
    assert write(tmp_path, "sandbox") == []
    assert "docker-compose.sandbox.yml" in (tmp_path / ".env").read_text()


def test_files_are_readable_to_their_owner_alone(tmp_path: Path) -> None:
    write(tmp_path, "sandbox")
    folders = (tmp_path / FOLDER, tmp_path / FOLDER / SECRETS)
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / FOLDER).glob("*.*")} == {0o600}
    # Compose binds the file into containers whose user is another one.
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / FOLDER / SECRETS).iterdir()} == {0o444}


def test_no_secret_is_in_an_env_file(tmp_path: Path) -> None:
    write(tmp_path, "sandbox")
    secrets = [value for path in (tmp_path / FOLDER / SECRETS).iterdir() if (value := path.read_text())]
    env_files = [*(tmp_path / FOLDER).glob("*.env"), tmp_path / ".env"]
    assert len(secrets) > 20
    assert not [path.name for path in env_files for value in secrets if value in path.read_text()]


def test_production_lists_what_only_the_operator_knows(tmp_path: Path) -> None:
    assert write(tmp_path, "production") == [
        "FASTCHECK_PUBLIC_URL in deployment/common.env: the https:// URL of the gateway",
        "FASTCHECK_TBANK_TERMINAL_KEY in deployment/payments.env: from the bank",
        "FASTCHECK_TBANK_PASSWORD in the file deployment/secrets/payments_tbank_password: from the bank",
    ]


def test_production_is_complete_with_the_operators_settings(tmp_path: Path) -> None:
    assert write(tmp_path, "production", PRODUCTION) == []
    assert "FASTCHECK_PUBLIC_URL='https://pay.example'" in text(tmp_path, "common.env")
    assert "FASTCHECK_RETURN_ORIGINS='https://pay.example'" in text(tmp_path, "payments.env")
    assert text(tmp_path, "secrets/payments_tbank_password") == "from the bank"


def test_another_bank_requires_its_own_settings(tmp_path: Path) -> None:
    user = {**PRODUCTION, "FASTCHECK_BANK": "yookassa", "FASTCHECK_BANKS": "yookassa"}
    assert [sentence.split()[0] for sentence in write(tmp_path, "production", user)] == [
        "FASTCHECK_YOOKASSA_SHOP_ID",
        "FASTCHECK_YOOKASSA_SECRET_KEY",
    ]


def test_production_rejects_a_public_url_without_tls(tmp_path: Path) -> None:
    (missing,) = write(tmp_path, "production", {**PRODUCTION, "FASTCHECK_PUBLIC_URL": "http://pay.example"})
    assert "https://" in missing


def test_production_has_no_trace_of_the_sandbox(tmp_path: Path) -> None:
    write(tmp_path, "production", PRODUCTION)
    found = content(tmp_path)
    del found[f"{FOLDER}/credentials.json"]
    assert "sandbox" not in "".join(found).lower()
    assert "sandbox" not in "".join(found.values()).lower()
    assert "FASTCHECK_YOOKASSA_MORE_NETWORKS" not in text(tmp_path, "payments.env")
    for bank in ("sber_password", "sber_callback_secret", "yookassa_secret_key"):
        assert text(tmp_path, f"secrets/payments_{bank}") == "", "secrets of the sandbox bank open no real bank"


@pytest.mark.parametrize("environment", ["sandbox", "production"])
def test_repeat_changes_nothing(tmp_path: Path, environment: str) -> None:
    write(tmp_path, environment, PRODUCTION)
    before = content(tmp_path)
    assert write(tmp_path, environment) == []
    assert content(tmp_path) == before


def test_repeat_keeps_edited_values_and_adds_missing_ones(tmp_path: Path) -> None:
    write(tmp_path, "production")
    checks, password = tmp_path / FOLDER / "checks.env", tmp_path / FOLDER / SECRETS / "checks_database_url"
    url = password.read_text()
    checks.write_text("# ours\nFASTCHECK_MIN_CHECK_LIFETIME_SECONDS=3600\nFASTCHECK_BALANCE_URL='http://other:1'\n")
    password.unlink()
    assert write(tmp_path, "production", PRODUCTION) == [], "empty values are filled"
    lines = checks.read_text().splitlines()
    assert lines[:3] == [
        "# ours",
        "FASTCHECK_MIN_CHECK_LIFETIME_SECONDS=3600",
        "FASTCHECK_BALANCE_URL='http://other:1'",
    ]
    assert "FASTCHECK_CHECKS_DATABASE_URL_FILE='/run/secrets/checks_database_url'" in lines
    assert password.read_text() == url, "the same role keeps its password"


def test_other_environment_in_the_same_folder_is_rejected(tmp_path: Path) -> None:
    write(tmp_path, "sandbox")
    (tmp_path / FOLDER / "checks.env").unlink()
    before = content(tmp_path)
    with pytest.raises(LaunchError, match="installation of the other environment"):
        write(tmp_path, "production")
    assert content(tmp_path) == before


def test_credentials_of_an_older_installation_are_taken_over(tmp_path: Path) -> None:
    installation.write(tmp_path, "sandbox", {}, {"postgres_password": "old", "redis_password": "older"})
    assert text(tmp_path, "secrets/postgres_password") == "old"
    assert text(tmp_path, "secrets/redis_password") == "older"
    assert text(tmp_path, "secrets/checks_broker_url").startswith("redis://checks:")  # no longer the administrator


def test_installations_share_no_secret(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, "sandbox")
    one, other = (
        {path.read_text() for path in (tmp_path / name / FOLDER / SECRETS).iterdir()} - {""}
        for name in ("one", "other")
    )
    assert not one & other
