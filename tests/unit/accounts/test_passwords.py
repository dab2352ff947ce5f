"""Argon2id: parameters, equal time for unknown logins, and the limit on concurrent hashes."""

import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import pytest

from common.core.errors import ServiceUnavailable
from services.accounts.passwords import Passwords
from tests.support.eventually import eventually


@pytest.fixture(scope="module")
def passwords() -> Passwords:
    return Passwords(at_once=4, waiting=4, wait_seconds=5)


def test_hash_has_the_documented_parameters(passwords: Passwords) -> None:
    assert passwords.hash("correct horse").startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_only_the_right_password_matches(passwords: Passwords) -> None:
    stored = passwords.hash("correct horse")
    assert passwords.matches(stored, "correct horse")
    assert not passwords.matches(stored, "correct hors")
    assert not passwords.matches(None, "correct horse")


def test_composed_and_decomposed_characters_are_equal(passwords: Passwords) -> None:
    assert passwords.matches(passwords.hash("caf\u00e9 caf\u00e9"), "cafe\u0301 cafe\u0301")


def test_unknown_login_takes_as_long_as_a_wrong_password(passwords: Passwords) -> None:
    stored = passwords.hash("correct horse")

    def seconds(password_hash: str | None) -> float:
        started = time.perf_counter()
        passwords.matches(password_hash, "wrong horse")
        return time.perf_counter() - started

    pairs = [(seconds(stored), seconds(None)) for _ in range(9)]
    wrong, unknown = (median(column) for column in zip(*pairs, strict=True))
    assert 0.5 < wrong / unknown < 2


def test_request_beyond_the_queue_is_rejected_at_once() -> None:
    passwords = Passwords(at_once=1, waiting=1, wait_seconds=30)
    with ThreadPoolExecutor(1) as pool:
        with passwords._slot():
            waiting = pool.submit(passwords.hash, "correct horse")
            eventually(lambda: passwords._places._value == 0)
            with pytest.raises(ServiceUnavailable) as refusal:
                passwords.hash("correct horse")
            assert not waiting.done()
        assert passwords.matches(waiting.result(), "correct horse")
    assert refusal.value.retry_after_seconds == 1


def test_request_that_waits_too_long_is_rejected_and_releases_its_slot() -> None:
    passwords = Passwords(at_once=1, waiting=1, wait_seconds=0.01)
    with passwords._slot(), pytest.raises(ServiceUnavailable):
        passwords.hash("correct horse")
    assert passwords.hash("correct horse")
