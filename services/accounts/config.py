"""Settings of the accounts service."""

import os

from pydantic import Field, SecretStr

from common.core.settings import CallerSettings, DatabaseSettings, Settings


class AccountsSettings(Settings, DatabaseSettings, CallerSettings):
    """Everything that the web process of accounts reads."""

    accounts_database_url: SecretStr

    session_lifetime_seconds: int = Field(default=30 * 24 * 3600, gt=0)
    session_idle_seconds: int = Field(default=24 * 3600, gt=0)
    #: How long the gateway may answer for a session without asking again; also how exact ``last_used_at`` is.
    session_cache_seconds: int = Field(default=60, ge=0)
    #: Who signs in once more than this ends the session that he has used least lately.
    max_sessions_per_user: int = Field(default=100, gt=0)

    #: A hash takes 22 ms of one core and 19 MiB. Together these must be fewer than the threads of the process,
    #: so that sessions can be verified while passwords wait.
    password_hashes_at_once: int = Field(default_factory=lambda: os.cpu_count() or 1, gt=0)
    password_hashes_waiting: int = Field(default=38, ge=0)
    password_hash_wait_seconds: float = 1.5

    rate_limit_enabled: bool = True
    #: Failed sign-ins to one login from one address: so many at once, and then one each so many seconds.
    failed_logins_burst: int = Field(default=10, gt=0)
    failed_logins_forgiven_seconds: float = Field(default=60.0, gt=0)
    #: The same from all addresses together: wider, so that nobody can lock a user out from one place.
    failed_logins_anywhere_burst: int = Field(default=100, gt=0)
    failed_logins_anywhere_forgiven_seconds: float = Field(default=6.0, gt=0)
