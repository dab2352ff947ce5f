"""The strength of new passwords."""

import pytest

from services.accounts.errors import WeakPassword
from services.accounts.password_strength import require_strong


@pytest.mark.parametrize(
    "password",
    ["password", "12345678", " " * 8, "Passw0rd!", "qwerty123", "abcdefgh", "x" * 256, "fastcheck1", "anna.petrova"],
)
def test_password_that_is_easy_to_guess_is_rejected(password: str) -> None:
    with pytest.raises(WeakPassword) as caught:
        require_strong(password, "anna.petrova", min_score=2)
    assert caught.value.errors == {"password": "is easy to guess"}


@pytest.mark.parametrize("password", ["correct horse", "kX9#vQ2z", "пароль-пароль", "correct horse battery " * 12])
def test_password_that_is_hard_to_guess_is_accepted(password: str) -> None:
    require_strong(password, "anna.petrova", min_score=2)


def test_minimum_is_a_setting() -> None:
    require_strong("password", "anna", min_score=0)
    with pytest.raises(WeakPassword):
        require_strong("correct horse", "anna", min_score=4)


def test_password_of_the_login_is_weak_for_this_user_only() -> None:
    require_strong("mirandola-lake", "anna", min_score=3)
    with pytest.raises(WeakPassword):
        require_strong("mirandola-lake", "mirandola-lake", min_score=1)
