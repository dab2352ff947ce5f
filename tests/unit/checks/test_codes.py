"""Codes are encrypted with keys that can be changed, and each belongs to its check."""

from collections import Counter
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet

from services.checks.codes.vault import KEY_NAME_BYTES, CodeUnreadable, CodeVault, key_name, random_code


def _key() -> str:
    return Fernet.generate_key().decode()


def test_a_code_comes_back_as_it_was() -> None:
    vault, check_id = CodeVault(_key()), uuid4()
    for code in ("0000", "5864", "9999"):
        assert vault.open(check_id, vault.seal(check_id, code)) == code


def test_the_same_code_looks_different_each_time() -> None:
    vault, check_id = CodeVault(_key()), uuid4()
    assert vault.seal(check_id, "5864") != vault.seal(check_id, "5864")


def test_a_ciphertext_opens_for_no_other_check() -> None:
    vault, check_id = CodeVault(_key()), uuid4()
    with pytest.raises(CodeUnreadable):
        vault.open(uuid4(), vault.seal(check_id, "5864"))


def test_a_key_is_changed_by_putting_a_new_one_in_front() -> None:
    old, new = _key(), _key()
    check_id = uuid4()
    sealed_before = CodeVault(old).seal(check_id, "5864")
    both = CodeVault(f"{new}, {old}")
    assert both.open(check_id, sealed_before) == "5864"
    sealed_after = both.seal(check_id, "1234")
    assert CodeVault(new).open(check_id, sealed_after) == "1234"
    with pytest.raises(CodeUnreadable):
        CodeVault(new).open(check_id, sealed_before)


def test_a_ciphertext_names_its_key() -> None:
    old, new = _key(), _key()
    check_id = uuid4()
    assert CodeVault(old).seal(check_id, "5864")[:KEY_NAME_BYTES] == key_name(old)
    both = CodeVault(f"{new},{old}")
    assert both.seal(check_id, "5864")[:KEY_NAME_BYTES] == both.newest == key_name(new) != key_name(old)


def test_a_code_is_renewed_under_the_newest_key() -> None:
    old, new = _key(), _key()
    check_id = uuid4()
    renewed = CodeVault(f"{new},{old}").renew(check_id, CodeVault(old).seal(check_id, "5864"))
    assert CodeVault(new).open(check_id, renewed) == "5864"


def test_what_belongs_to_another_check_is_not_renewed() -> None:
    vault = CodeVault(_key())
    with pytest.raises(CodeUnreadable):
        vault.renew(uuid4(), vault.seal(uuid4(), "5864"))


def test_what_was_written_before_keys_had_names_opens() -> None:
    old, new = _key(), _key()
    check_id = uuid4()
    assert CodeVault(f"{new},{old}").open(check_id, Fernet(old).encrypt(check_id.bytes + b"5864")) == "5864"


def test_a_ciphertext_under_another_name_than_its_keys_does_not_open() -> None:
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
def test_without_a_usable_key_there_is_no_vault(keys: str) -> None:
    with pytest.raises(ValueError):
        CodeVault(keys)


def test_codes_are_four_digits_and_spread_evenly() -> None:
    codes = [random_code() for _ in range(20_000)]
    assert all(len(code) == 4 and code.isascii() and code.isdigit() for code in codes)
    first_digits = Counter(code[0] for code in codes)
    assert len(first_digits) == 10
    assert min(first_digits.values()) > 1_600
