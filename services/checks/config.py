"""Settings of the checks service."""

from typing import Final

from pydantic import SecretStr, field_validator

from common.core.settings import BusSettings, CallerSettings, DatabaseSettings, HttpSettings, Settings
from services.checks.codes.vault import CodeVault

DAY_SECONDS: Final = 86_400


class ChecksSettings(Settings, DatabaseSettings, BusSettings, CallerSettings, HttpSettings):
    """Everything that the web process and the bus processes of checks read."""

    checks_database_url: SecretStr
    checks_token_key: SecretStr
    balance_url: str
    public_url: str
    #: Fernet keys, separated by commas, newest first: the first encrypts, all decrypt.
    code_keys: SecretStr

    min_check_lifetime_seconds: int = 60
    max_check_lifetime_seconds: int = 90 * DAY_SECONDS
    default_check_lifetime_seconds: int = 7 * DAY_SECONDS

    #: So many wrong codes in a row freeze a check for so long; each further freeze is twice as long.
    freeze_after_wrong_codes: int = 5
    freeze_seconds: int = 900
    #: So many failed accepts and previews of one user are answered in so long a time.
    failed_attempts_allowed: int = 20
    failed_attempts_window_seconds: int = 3600

    #: How long a user waits for his money before the event is left to bring it.
    settle_timeout_seconds: float = 2.0
    #: How long the relay leaves the event of a check alone that is being settled at once.
    settle_event_delay_seconds: float = 5.0

    expiry_sweep_seconds: float = 10.0
    pending_sweep_seconds: float = 5.0
    #: How often codes under old keys are looked for. A key is changed by a restart, after which it is done at once.
    code_key_sweep_seconds: float = 600.0
    #: A run deletes half a million rows of a table at most: this bounds the rate that is kept up with: 1,600 a second.
    retention_sweep_seconds: float = 300.0
    idempotency_retention_hours: int = 48
    checks_worker_threads: int = 2

    @field_validator("code_keys")
    @classmethod
    def _are_keys(cls, keys: SecretStr) -> SecretStr:
        CodeVault(keys.get_secret_value())
        return keys

    @property
    def hold_turn_seconds(self) -> float:
        """How long a request that asks balance for money may take: nobody else asks for the same check meanwhile."""
        return self.http_connect_timeout_seconds + self.http_timeout_seconds + 2.0
