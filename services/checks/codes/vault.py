"""Encryption of codes: four digits, stored encrypted and compared in constant time.

A ciphertext contains the id of its check beside the code, so that a ciphertext copied to another row decrypts to
nothing. A prefix names its key, so that the database can find what is still under an older one.
"""

import hashlib
import hmac
import secrets
from typing import Final
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

_ID_BYTES: Final = 16
_VERSION: Final = b"\x01"
#: The length of a version byte and a prefix of the key's hash, which identifies the key and reveals nothing of it.
KEY_NAME_BYTES: Final = 5


class CodeUnreadable(Exception):
    """No key decrypts this ciphertext, or it belongs to another check: a key was removed too early or a row moved."""


class CodeVault:
    """Encrypts and decrypts codes with a list of keys (Fernet: AES-128-CBC and HMAC-SHA256)."""

    def __init__(self, keys: str) -> None:
        """``keys``: Fernet keys separated by commas, newest first. Raises ValueError if one is malformed."""
        given = [key.strip() for key in keys.split(",") if key.strip()]
        self._by_name = {key_name(key): Fernet(key) for key in given}
        #: For ciphertexts without a key name, which older versions wrote: tries all keys.
        self._any = MultiFernet(list(self._by_name.values()))
        self.newest = next(iter(self._by_name))
        self._stand_in_id = UUID(int=0)
        self._stand_in = self.seal(self._stand_in_id, "0000")

    def seal(self, check_id: UUID, code: str) -> bytes:
        """Encrypt the code of a check with the newest key."""
        return self.newest + self._by_name[self.newest].encrypt(check_id.bytes + code.encode())

    def open(self, check_id: UUID, ciphertext: bytes) -> str:
        """Decrypt the code of this check; raises CodeUnreadable."""
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
        """Re-encrypt the code with the newest key; raises CodeUnreadable."""
        return self.seal(check_id, self.open(check_id, ciphertext))

    def matches(self, check_id: UUID, ciphertext: bytes, code: str) -> bool:
        """Return whether this is the code, in a time that does not depend on matching digits; raises CodeUnreadable."""
        return hmac.compare_digest(self.open(check_id, ciphertext).encode(), code.encode())

    def match_stand_in(self, code: str) -> bool:
        """Do the work of :meth:`matches` for a number that does not exist; return False."""
        self.matches(self._stand_in_id, self._stand_in, code)
        return False


def key_name(key: str) -> bytes:
    """Return the prefix that identifies the key in ciphertexts."""
    return _VERSION + hashlib.sha256(b"fastcheck code key " + key.encode()).digest()[: KEY_NAME_BYTES - 1]


def random_code() -> str:
    """Return a random code, ``0000`` to ``9999``, uniformly distributed."""
    return f"{secrets.randbelow(10_000):04d}"
