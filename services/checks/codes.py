"""Secret codes: four digits that are kept encrypted and are compared without telling how far they agree.

A ciphertext holds the id of its check beside the code, so that one which is moved to another row opens nothing.
"""

import hmac
import secrets
from typing import Final
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

_ID_BYTES: Final = 16


class CodeUnreadable(Exception):
    """No key opens this ciphertext, or it belongs to another check: a key was dropped too early, or data was moved."""


class CodeVault:
    """Encrypts and opens codes with a list of keys (Fernet: AES-128-CBC and HMAC-SHA256)."""

    def __init__(self, keys: str) -> None:
        """``keys``: Fernet keys separated by commas, newest first; ValueError where one is malformed."""
        self._fernet = MultiFernet([Fernet(key.strip()) for key in keys.split(",") if key.strip()])
        self._stand_in_id = UUID(int=0)
        self._stand_in = self.seal(self._stand_in_id, "0000")

    def seal(self, check_id: UUID, code: str) -> bytes:
        """The ciphertext of a check's code under the newest key."""
        return self._fernet.encrypt(check_id.bytes + code.encode())

    def open(self, check_id: UUID, ciphertext: bytes) -> str:
        """The code of this very check; raises CodeUnreadable."""
        try:
            plain = self._fernet.decrypt(ciphertext)
        except InvalidToken:
            raise CodeUnreadable from None
        if plain[:_ID_BYTES] != check_id.bytes:
            raise CodeUnreadable
        return plain[_ID_BYTES:].decode()

    def matches(self, check_id: UUID, ciphertext: bytes, code: str) -> bool:
        """Whether this is the code, in a time that does not depend on how much of it is right."""
        return hmac.compare_digest(self.open(check_id, ciphertext).encode(), code.encode())

    def match_nothing(self, code: str) -> bool:
        """The same work for a number that does not exist; always False."""
        self.matches(self._stand_in_id, self._stand_in, code)
        return False


def random_code() -> str:
    """A new code, ``0000`` to ``9999``, each as likely as any other."""
    return f"{secrets.randbelow(10_000):04d}"
