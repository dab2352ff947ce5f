"""The dependencies of a process of accounts, created once from the settings."""

from dataclasses import dataclass
from typing import Final, Self

from common.core.clock import Clock, SystemClock
from common.db.engine import Database
from services.accounts.config import AccountsSettings
from services.accounts.delays import SignInDelays
from services.accounts.passwords import Passwords

#: Maximum wait for a password hash; then the request gets 503.
PASSWORD_HASH_WAIT_SECONDS: Final = 1.5


@dataclass(frozen=True, slots=True)
class Context:
    """The database, the clock, the password hasher and the delays of sign-ins."""

    db: Database
    clock: Clock
    passwords: Passwords
    delays: SignInDelays
    settings: AccountsSettings

    @classmethod
    def open(cls, settings: AccountsSettings, application_name: str) -> Self:
        """Create the dependencies; opens no connection."""
        return cls(
            db=Database.of(settings.accounts_database_url, settings, application_name),
            clock=SystemClock.of(settings),
            passwords=Passwords(
                at_once=settings.password_hashes_at_once,
                waiting=settings.password_hashes_waiting,
                wait_seconds=PASSWORD_HASH_WAIT_SECONDS,
            ),
            delays=SignInDelays(settings.failed_login_delay_seconds),
            settings=settings,
        )
