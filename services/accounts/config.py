"""Settings of the accounts service."""

import os

from pydantic import Field, SecretStr

from common.core.settings import CallerSettings, DatabaseSettings, Settings


class AccountsSettings(Settings, DatabaseSettings, CallerSettings):
    """Settings of the web process of accounts."""

    accounts_database_url: SecretStr
    """URL of the database of accounts: `postgresql+psycopg2://role:password@host:port/database`."""

    session_lifetime_seconds: int = Field(default=30 * 24 * 3600, gt=0)
    """Maximum age of a session."""
    session_idle_seconds: int = Field(default=24 * 3600, gt=0)
    """Time without a request after which a session ends."""
    max_sessions_per_user: int = Field(default=100, gt=0)
    """Maximum number of sessions per user. A further sign-in ends the least recently used session."""

    password_hashes_at_once: int = Field(default_factory=lambda: os.cpu_count() or 1, gt=0)
    """Maximum number of concurrent password hashes; each takes 22 ms of one core and 19 MiB. Default: the number of
    cores."""
    password_hashes_waiting: int = Field(default=38, ge=0)
    """Maximum number of requests that wait for a password hash; further ones get `503`."""

    rate_limit_enabled: bool = True
    """Whether rate limits apply."""
    failed_logins_burst: int = Field(default=10, gt=0)
    """Failed sign-ins to one account from one address (a /64 of IPv6), or from one known device, at once."""
    failed_logins_anywhere_burst: int = Field(default=100, gt=0)
    """Failed sign-ins to one account from all addresses that are allowed at once."""
    failed_login_delay_seconds: float = Field(default=3.0, ge=0, le=3.0)
    """Delay of each further sign-in from a device that is not known to the account."""

    min_password_score: int = Field(default=2, ge=0, le=4)
    """Minimum strength of a new password, from 0 to 4, as zxcvbn rates it. 2: at least a million guesses."""
