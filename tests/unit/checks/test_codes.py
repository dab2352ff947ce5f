"""Encryption of codes: rotating keys, and binding of a ciphertext to its check."""

from collections import Counter
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet

from services.checks.codes.vault import KEY_NAME_BYTES, CodeUnreadable, CodeVault, key_name, random_code


def _key() -> str:
    return Fernet.generate_key().decode()


def test_sealed_code_can_be_opened() -> None:
    vault, check_id = CodeVault(_key()), uuid4()
    for code in ("0000", "5864", "9999"):
        assert vault.open(check_id, vault.seal(check_id, code)) == code


def test_ciphertexts_of_one_code_differ() -> None:
    vault, check_id = CodeVault(_key()), uuid4()
    assert vault.seal(check_id, "5864") != vault.seal(check_id, "5864")


def test_ciphertext_does_not_open_for_another_check() -> None:
    vault, check_id = CodeVault(_key()), uuid4()
    with pytest.raises(CodeUnreadable):
        vault.open(uuid4(), vault.seal(check_id, "5864"))


def test_first_key_seals_and_every_key_opens() -> None:
    old, new = _key(), _key()
    check_id = uuid4()
    sealed_before = CodeVault(old).seal(check_id, "5864")
    both = CodeVault(f"{new}, {old}")
    assert both.open(check_id, sealed_before) == "5864"
    sealed_after = both.seal(check_id, "1234")
    assert CodeVault(new).open(check_id, sealed_after) == "1234"
    with pytest.raises(CodeUnreadable):
        CodeVault(new).open(check_id, sealed_before)


def test_ciphertext_starts_with_the_id_of_its_key() -> None:
    old, new = _key(), _key()
    check_id = uuid4()
    assert CodeVault(old).seal(check_id, "5864")[:KEY_NAME_BYTES] == key_name(old)
    both = CodeVault(f"{new},{old}")
    assert both.seal(check_id, "5864")[:KEY_NAME_BYTES] == both.newest == key_name(new) != key_name(old)


def test_code_is_renewed_with_the_newest_key() -> None:
    old, new = _key(), _key()
    check_id = uuid4()
    renewed = CodeVault(f"{new},{old}").renew(check_id, CodeVault(old).seal(check_id, "5864"))
    assert CodeVault(new).open(check_id, renewed) == "5864"


def test_ciphertext_of_another_check_is_not_renewed() -> None:
    vault = CodeVault(_key())
    with pytest.raises(CodeUnreadable):
        vault.renew(uuid4(), vault.seal(uuid4(), "5864"))


def test_ciphertext_without_a_key_id_opens() -> None:
    old, new = _key(), _key()
    check_id = uuid4()
    assert CodeVault(f"{new},{old}").open(check_id, Fernet(old).encrypt(check_id.bytes + b"5864")) == "5864"


def test_ciphertext_with_a_wrong_key_id_does_not_open() -> None:
    old, new = _key(), _key()
    check_id = uuid4()
    sealed = CodeVault(old).seal(check_id, "5864")
    forged = key_name(new) + sealed[KEY_NAME_BYTES:]
    for ciphertext in (forged, sealed[:20], sealed[:KEY_NAME_BYTES], b"", b"\x01"):
        with pytest.raises(CodeUnreadable):
            CodeVault(f"{new},{old}").open(check_id, ciphertext)


def test_only_the_code_matches() -> None:
    vault, check_id = CodeVault(_key()), uuid4()
    ciphertext = vault.seal(check_id, "5864")
    assert vault.matches(check_id, ciphertext, "5864")
    assert not any(vault.matches(check_id, ciphertext, code) for code in ("5865", "0000", "586", ""))
    assert vault.match_stand_in("0000") is False


@pytest.mark.parametrize("keys", ["", ",", "short", "not base64 at all"])
def test_vault_rejects_invalid_keys(keys: str) -> None:
    with pytest.raises(ValueError):
        CodeVault(keys)


def test_codes_have_four_digits_and_are_uniformly_distributed() -> None:
    codes = [random_code() for _ in range(20_000)]
    assert all(len(code) == 4 and code.isascii() and code.isdigit() for code in codes)
    first_digits = Counter(code[0] for code in codes)
    assert len(first_digits) == 10
    assert min(first_digits.values()) > 1_600
