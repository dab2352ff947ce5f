"""Users, sessions, and the memory of failed sign-ins. The tables themselves are in ``migrations``."""

import hashlib
import math
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID


@dataclass(frozen=True, slots=True)
class User:
    """Who signs in. ``login`` is lower case; ``password_hash`` is argon2id in PHC form."""

    user_id: UUID
    login: str
    password_hash: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session at the one moment when its id is known: after this only the hash of it is kept."""

    session_id: str
    user_id: UUID
    created_at: datetime
    expires_at: datetime

    @classmethod
    def start(cls, user_id: UUID, now: datetime, lifetime: timedelta) -> Self:
        """128 random bits, written as 32 upper-case hex digits."""
        return cls(secrets.token_hex(16).upper(), user_id, now, now + lifetime)

    @property
    def session_hash(self) -> bytes:
        """What is stored, and what crosses borders. The id is random, so a plain hash cannot be guessed back."""
        return hashlib.sha256(self.session_id.encode()).digest()


@dataclass(frozen=True, slots=True)
class LiveSession:
    """What is known of a session that is alive."""

    user_id: UUID
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class FailureLimit:
    """``burst`` failures may happen at once; one is forgiven each ``forgiven_every``.

    A subject's whole memory is one moment, ``forgiven_at``, when all its failures will be forgiven: each
    failure moves it on by ``forgiven_every`` (a leaky bucket kept as a time, known as GCRA).
    """

    subject: bytes
    burst: int
    forgiven_every: timedelta

    @classmethod
    def of(cls, burst: int, forgiven_seconds: float, *subject: str) -> Self:
        """``subject`` is what fails: a login, or a login and an address. Only its hash is kept."""
        return cls(hashlib.sha256("\n".join(subject).encode()).digest(), burst, timedelta(seconds=forgiven_seconds))

    def seconds_to_wait(self, forgiven_at: datetime | None, now: datetime) -> int:
        """0 when another try is welcome; never more seconds than there are in the burst."""
        if forgiven_at is None:
            return 0
        return max(0, math.ceil((forgiven_at - now - (self.burst - 1) * self.forgiven_every).total_seconds()))
