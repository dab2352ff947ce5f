"""Users, sessions and limits of failed sign-ins. The tables are in ``migrations``."""

import hashlib
import math
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID


@dataclass(frozen=True, slots=True)
class User:
    """A user. ``login`` is lower case; ``password_hash`` is an argon2id hash in PHC format."""

    user_id: UUID
    login: str
    password_hash: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewSession:
    """A new session with its id, which is reported once. Only the hash of the id is stored."""

    session_id: str
    user_id: UUID
    created_at: datetime
    expires_at: datetime
    device: str | None = None

    @classmethod
    def start(cls, user_id: UUID, now: datetime, lifetime: timedelta, device: str | None = None) -> Self:
        """Return a session with a random id of 128 bits, as 32 upper-case hex digits."""
        return cls(secrets.token_hex(16).upper(), user_id, now, now + lifetime, device)

    @property
    def session_hash(self) -> bytes:
        """The SHA-256 of the id, which is stored and sent between services. The id is random, so it needs no salt."""
        return hashlib.sha256(self.session_id.encode()).digest()


@dataclass(frozen=True, slots=True)
class LiveSession:
    """The user and the expiration of an active session."""

    user_id: UUID
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ListedSession:
    """An active session as its user sees it. ``session_key`` names it and opens nothing; a use is exact to a minute."""

    session_key: UUID
    device: str | None
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    is_current: bool


@dataclass(frozen=True, slots=True)
class Device:
    """A browser or app in which the user signed in before, as the gateway has verified. The id names it."""

    user_id: UUID
    device_id: UUID


@dataclass(frozen=True, slots=True)
class FailureLimit:
    """A limit of failures: ``burst`` at once, then one per ``forgiven_every``.

    The state of a subject is one instant, ``forgiven_at``, when all its failures are forgiven. Each failure moves it by
    ``forgiven_every``: the generic cell rate algorithm (GCRA), a leaky bucket stored as a time.
    """

    subject: bytes
    burst: int
    forgiven_every: timedelta

    @classmethod
    def of(cls, burst: int, forgiven_seconds: float, *subject: str) -> Self:
        """Return the limit of a subject, such as a login, or a login and an address. Only its hash is stored."""
        return cls(hashlib.sha256("\n".join(subject).encode()).digest(), burst, timedelta(seconds=forgiven_seconds))

    def seconds_to_wait(self, forgiven_at: datetime | None, now: datetime) -> int:
        """Return the seconds until the next attempt is allowed; 0 if it is allowed now."""
        if forgiven_at is None:
            return 0
        return max(0, math.ceil((forgiven_at - now - (self.burst - 1) * self.forgiven_every).total_seconds()))
