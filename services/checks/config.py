"""Settings of the checks service."""

from typing import Final

from pydantic import Field, SecretStr, field_validator

from common.core.settings import (
    BusSettings,
    CallerSettings,
    DatabaseSettings,
    GroupSettings,
    HttpSettings,
    PublicUrlSettings,
    ServiceUrl,
    Settings,
)
from services.checks.codes.vault import CodeVault

DAY_SECONDS: Final = 86_400


class ChecksSettings(
    Settings, DatabaseSettings, BusSettings, CallerSettings, HttpSettings, GroupSettings, PublicUrlSettings
):
    """Settings of the web process and the bus processes of checks."""

    checks_database_url: SecretStr
    """URL of the database of checks: `postgresql+psycopg2://role:password@host:port/database`."""
    checks_direct_database_url: SecretStr | None = None
    """URL of the same database without a pooler, for LISTEN, if the URL above leads to PgBouncer."""
    checks_token_key: SecretStr
    """Ed25519 private key with which checks signs its calls to balance and its messages (base64 of 32 bytes)."""
    balance_url: ServiceUrl
    """URL of the web process of balance: `http://host:port` or `https://host:port`."""
    code_keys: SecretStr
    """Fernet keys for check codes, separated by commas, newest first. The first encrypts, all decrypt."""

    min_check_lifetime_seconds: int = 60
    """Minimum value of `expiresIn`."""

    settle_timeout_seconds: float = 2.0
    """Maximum wait of an accept for the settlement. After that the event delivers the money."""

    rate_limit_enabled: bool = True
    """Whether rate limits apply."""
    failed_attempts_per_address: int = Field(default=100, gt=0)
    """Failed accepts and previews from one address that are allowed per hour."""

    expiry_sweep_seconds: float = 10.0
    """Interval between scans for checks that are due to expire."""
    pending_sweep_seconds: float = 5.0
    """Interval between scans for checks whose hold has an unknown outcome."""
    idempotency_retention_hours: int = 48
    """Retention of idempotency keys, in hours."""

    @field_validator("code_keys")
    @classmethod
    def _are_keys(cls, keys: SecretStr) -> SecretStr:
        CodeVault(keys.get_secret_value())
        return keys

    @property
    def hold_lease_seconds(self) -> float:
        """The maximum duration of a hold, during which no other process retries the same check."""
        return self.http_timeout_seconds + 2.0
