"""The strength of new passwords, as zxcvbn rates it (Wheeler, USENIX Security 2016)."""

from typing import Final

from zxcvbn import zxcvbn

from services.accounts.errors import WeakPassword

#: zxcvbn's time grows faster than the length; a password whose beginning is strong is strong.
_RATED_LENGTH: Final = 72


def require_strong(password: str, login: str, *, min_score: int, field: str = "password") -> None:
    """Raise WeakPassword if the password's score is below ``min_score`` (0 to 4) for someone who knows the login.

    ``field`` is the name of the password in the request.
    """
    rated = zxcvbn(password[:_RATED_LENGTH], user_inputs=[login, "fastcheck"], max_length=_RATED_LENGTH)
    if rated["score"] < min_score:
        raise WeakPassword(errors={field: "is easy to guess"})
