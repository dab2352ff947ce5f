"""Settings of the sandbox bank."""

from typing import Self

from pydantic import Field, SecretStr, model_validator

from common.core.settings import CommaSeparated, DatabaseSettings, Settings
from services.sandbox_bank.faults import parse_faults


class SandboxBankSettings(Settings, DatabaseSettings):
    """Everything that the sandbox bank reads. The merchant's keys are the ones that payments has."""

    sandbox_bank_database_url: SecretStr
    #: Where browsers and payments find it.
    sandbox_bank_url: str = Field(pattern=r"^https?://")
    sandbox_bank_merchant: str = "FastCheck"
    #: Misbehaviour of every payment that no plan speaks of (see ``faults.py``).
    sandbox_bank_faults: CommaSeparated = ()
    sandbox_bank_slow_seconds: float = Field(default=6.0, ge=0)
    sandbox_bank_late_seconds: float = Field(default=5.0, ge=0)
    #: A notification that is not answered is sent again after this, then after twice this, up to an hour.
    sandbox_bank_repeat_seconds: float = Field(default=2.0, gt=0)
    sandbox_bank_notify_timeout_seconds: float = Field(default=10.0, gt=0)
    sandbox_bank_deliveries_at_once: int = Field(default=8, ge=1, le=64)
    tbank_terminal_key: str = Field(min_length=1)
    tbank_password: SecretStr = Field(min_length=1)
    #: The other two protocols are spoken when their keys are set.
    yookassa_shop_id: str = ""
    yookassa_secret_key: SecretStr = SecretStr("")
    sber_user_name: str = ""
    sber_password: SecretStr = SecretStr("")
    #: Callbacks are signed with the private key (PEM) if there is one, else with the secret, else not at all.
    sber_callback_secret: SecretStr = SecretStr("")
    sandbox_bank_sber_private_key: SecretStr = SecretStr("")
    #: The gateway: where notifications go that a real bank is told of in its cabinet.
    public_url: str = ""
    #: The same, if the bank reaches it otherwise than browsers do.
    callback_base_url: str = ""

    @model_validator(mode="after")
    def _never_in_production(self) -> Self:
        if self.environment == "production":
            raise ValueError("the sandbox bank never runs in production: set FASTCHECK_ENVIRONMENT=sandbox to use it")
        parse_faults(self.sandbox_bank_faults)
        return self
