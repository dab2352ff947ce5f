"""Settings of the checks service."""

from typing import Final

from pydantic import SecretStr, field_validator

from common.core.settings import BusSettings, CallerSettings, DatabaseSettings, HttpSettings, Settings
from services.checks.codes.vault import CodeVault

DAY_SECONDS: Final = 86_400


class ChecksSettings(Settings, DatabaseSettings, BusSettings, CallerSettings, HttpSettings):
    """Settings of the web process and the bus processes of checks."""

    checks_database_url: SecretStr
    """URL of the database of checks: `postgresql+psycopg2://role:password@host:port/database`."""
    checks_token_key: SecretStr
    """Ed25519 private key with which checks signs its calls to balance (base64 of 32 bytes)."""
    balance_url: str
    """URL of the web process of balance: `http://host:port`."""
    public_url: str
    """URL at which browsers and banks reach the gateway."""
    code_keys: SecretStr
    """Fernet keys for check codes, separated by commas, newest first. The first encrypts, all decrypt."""

    min_check_lifetime_seconds: int = 60
    """Minimum value of `expiresIn`."""
    max_check_lifetime_seconds: int = 90 * DAY_SECONDS
    """Maximum value of `expiresIn`."""
    default_check_lifetime_seconds: int = 7 * DAY_SECONDS
    """Lifetime of a check whose request has no `expiresIn`."""

    freeze_after_wrong_codes: int = 5
    """Number of consecutive wrong codes that freezes a check."""
    freeze_seconds: int = 900
    """Duration of the first freeze of a check. Each further freeze takes twice as long."""
    failed_attempts_allowed: int = 20
    """Failed accepts and previews that one user may make within the window."""
    failed_attempts_window_seconds: int = 3600
    """Length of the window in which failed attempts of one user are counted."""

    settle_timeout_seconds: float = 2.0
    """Maximum wait of an accept for the settlement. After that the event delivers the money."""
    settle_event_delay_seconds: float = 5.0
    """Delay of the event of a check that is being settled by a direct call."""

    expiry_sweep_seconds: float = 10.0
    """Interval between scans for checks that are due to expire."""
    pending_sweep_seconds: float = 5.0
    """Interval between scans for checks whose hold has an unknown outcome."""
    code_key_sweep_seconds: float = 600.0
    """Interval between scans for codes that are encrypted under old keys."""
    retention_sweep_seconds: float = 300.0
    """Interval between deletions of expired rows."""
    idempotency_retention_hours: int = 48
    """Time for which idempotency keys are kept."""
    checks_worker_threads: int = 2
    """Threads of the worker of checks."""

    @field_validator("code_keys")
    @classmethod
    def _are_keys(cls, keys: SecretStr) -> SecretStr:
        CodeVault(keys.get_secret_value())
        return keys

    @property
    def hold_turn_seconds(self) -> float:
        """How long a request that asks balance for money may take: nobody else asks for the same check meanwhile."""
        return self.http_connect_timeout_seconds + self.http_timeout_seconds + 2.0
