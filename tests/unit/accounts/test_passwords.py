"""Argon2id with the house's parameters, equal time for nobody, and a bound on how many run at once."""

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


def test_the_parameters_are_the_documented_ones(passwords: Passwords) -> None:
    assert passwords.hash("correct horse").startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_the_right_password_and_no_other_matches(passwords: Passwords) -> None:
    kept = passwords.hash("correct horse")
    assert passwords.matches(kept, "correct horse")
    assert not passwords.matches(kept, "correct hors")
    assert not passwords.matches(None, "correct horse")


def test_a_password_is_the_same_however_its_characters_were_composed(passwords: Passwords) -> None:
    assert passwords.matches(passwords.hash("caf\u00e9 caf\u00e9"), "cafe\u0301 cafe\u0301")


def test_a_login_that_does_not_exist_costs_as_much_as_a_wrong_password(passwords: Passwords) -> None:
    kept = passwords.hash("correct horse")

    def seconds(password_hash: str | None) -> float:
        started = time.perf_counter()
        passwords.matches(password_hash, "wrong horse")
        return time.perf_counter() - started

    pairs = [(seconds(kept), seconds(None)) for _ in range(9)]
    wrong, nobody = (median(column) for column in zip(*pairs, strict=True))
    assert 0.5 < wrong / nobody < 2


def test_whoever_comes_when_all_places_are_taken_is_sent_away() -> None:
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


def test_whoever_waits_too_long_is_sent_away_and_takes_no_place_with_him() -> None:
    passwords = Passwords(at_once=1, waiting=1, wait_seconds=0.01)
    with passwords._slot(), pytest.raises(ServiceUnavailable):
        passwords.hash("correct horse")
    assert passwords.hash("correct horse")
