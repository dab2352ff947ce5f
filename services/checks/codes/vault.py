"""Secret codes: four digits that are kept encrypted and are compared without telling how far they agree.

A ciphertext holds the id of its check beside the code, so that one which is moved to another row opens nothing.
Before it stands the name of its key, so that the database can say what is still under an old one.
"""

import hashlib
import hmac
import secrets
from typing import Final
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

_ID_BYTES: Final = 16
#: A version, then the beginning of a hash of the key: it tells keys apart, and nothing about them.
_VERSION: Final = b"\x01"
KEY_NAME_BYTES: Final = 5


class CodeUnreadable(Exception):
    """No key opens this ciphertext, or it belongs to another check: a key was dropped too early, or data was moved."""


class CodeVault:
    """Encrypts and opens codes with a list of keys (Fernet: AES-128-CBC and HMAC-SHA256)."""

    def __init__(self, keys: str) -> None:
        """``keys``: Fernet keys separated by commas, newest first; ValueError where one is malformed."""
        given = [key.strip() for key in keys.split(",") if key.strip()]
        self._by_name = {key_name(key): Fernet(key) for key in given}
        #: What was written before keys had names is tried with all of them.
        self._any = MultiFernet(list(self._by_name.values()))
        self.newest = next(iter(self._by_name))
        self._stand_in_id = UUID(int=0)
        self._stand_in = self.seal(self._stand_in_id, "0000")

    def seal(self, check_id: UUID, code: str) -> bytes:
        """The ciphertext of a check's code under the newest key."""
        return self.newest + self._by_name[self.newest].encrypt(check_id.bytes + code.encode())

    def open(self, check_id: UUID, ciphertext: bytes) -> str:
        """The code of this very check; raises CodeUnreadable."""
        fernet: Fernet | MultiFernet | None = self._any
        if ciphertext.startswith(_VERSION):
            fernet, ciphertext = self._by_name.get(ciphertext[:KEY_NAME_BYTES]), ciphertext[KEY_NAME_BYTES:]
        try:
            plain = fernet.decrypt(ciphertext) if fernet else b""
        except InvalidToken:
            raise CodeUnreadable from None
        if plain[:_ID_BYTES] != check_id.bytes:
            raise CodeUnreadable
        return plain[_ID_BYTES:].decode()

    def renew(self, check_id: UUID, ciphertext: bytes) -> bytes:
        """The same code under the newest key; raises CodeUnreadable."""
        return self.seal(check_id, self.open(check_id, ciphertext))

    def matches(self, check_id: UUID, ciphertext: bytes, code: str) -> bool:
        """Whether this is the code, in a time that does not depend on how much of it is right."""
        return hmac.compare_digest(self.open(check_id, ciphertext).encode(), code.encode())

    def match_nothing(self, code: str) -> bool:
        """The same work for a number that does not exist; always False."""
        self.matches(self._stand_in_id, self._stand_in, code)
        return False


def key_name(key: str) -> bytes:
    """How ciphertexts call the key that they are under."""
    return _VERSION + hashlib.sha256(b"fastcheck code key " + key.encode()).digest()[: KEY_NAME_BYTES - 1]


def random_code() -> str:
    """A new code, ``0000`` to ``9999``, each as likely as any other."""
    return f"{secrets.randbelow(10_000):04d}"
