"""Settings of the sandbox bank."""

from typing import Self

from pydantic import Field, FilePath, SecretStr, model_validator

from common.core.settings import CommaSeparated, DatabaseSettings, Settings
from services.sandbox_bank.faults import parse_faults


class SandboxBankSettings(Settings, DatabaseSettings):
    """Settings of the sandbox bank. The keys of the merchant are those of payments."""

    sandbox_bank_database_url: SecretStr
    """URL of the database of the sandbox bank: `postgresql+psycopg2://role:password@host:port/database`."""
    sandbox_bank_url: str = Field(pattern=r"^https?://")
    """URL at which browsers and payments reach the sandbox bank."""
    sandbox_bank_ca_bundle: FilePath | None = None
    """PEM file of the CAs for notifications to an `https://` gateway. Default: the CAs of the machine."""
    sandbox_bank_faults: CommaSeparated = ()
    """Faults injected into every payment without a plan of its own, separated by commas."""
    sandbox_bank_slow_seconds: float = Field(default=6.0, ge=0)
    """Delay of a response under the fault `slow`."""
    sandbox_bank_late_seconds: float = Field(default=5.0, ge=0)
    """Delay of a notification under the fault `late`."""
    sandbox_bank_repeat_seconds: float = Field(default=2.0, gt=0)
    """Delay before an unacknowledged notification is repeated. It doubles with each repetition, up to an hour."""
    tbank_terminal_key: str = Field(min_length=1)
    """Terminal of the merchant at T-Bank."""
    tbank_password: SecretStr = Field(min_length=1)
    """Password of the T-Bank terminal; it signs requests and notifications."""
    yookassa_shop_id: str = ""
    """Identifier of the shop at YooKassa."""
    yookassa_secret_key: SecretStr = SecretStr("")
    """Secret key of the YooKassa API."""
    sber_user_name: str = ""
    """User of the Sber API. Required with a password unless a token is set."""
    sber_password: SecretStr = SecretStr("")
    """Password of the Sber API."""
    sber_callback_secret: SecretStr = SecretStr("")
    """Secret of symmetric callback checksums. Without a secret or a key, a callback only triggers a poll."""
    sandbox_bank_sber_private_key: SecretStr = SecretStr("")
    """Private key (PEM) that signs Sber callbacks. Without it the secret signs them."""
    public_url: str = ""
    """URL at which browsers and banks reach the gateway. Production requires `https://`."""
    callback_base_url: str = ""
    """URL at which banks reach the gateway, if it differs from the public URL."""

    @model_validator(mode="after")
    def _never_in_production(self) -> Self:
        if self.environment == "production":
            raise ValueError("the sandbox bank never runs in production: set FASTCHECK_ENVIRONMENT=sandbox to use it")
        parse_faults(self.sandbox_bank_faults)
        return self
