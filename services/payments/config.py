"""Settings of the payments service. Each bank's own are beside its adapter, in ``banks/``."""

from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from common.core.settings import BusSettings, CallerSettings, CommaSeparated, DatabaseSettings, HttpSettings
from services.payments.banks.base import BankEnvironment
from services.payments.banks.registry import BANKS


class PaymentsSettings(BankEnvironment, DatabaseSettings, BusSettings, CallerSettings, HttpSettings):
    """Everything that the processes of payments read, save the banks' own."""

    payments_database_url: SecretStr
    #: For refunds, which take the money off the balance first. Without them a refund waits.
    payments_token_key: SecretStr = SecretStr("")
    balance_url: str = ""
    #: Where banks and browsers find the gateway.
    public_url: str = Field(pattern=r"^https?://")
    #: Where banks reach us, if that is not where browsers do.
    callback_base_url: str = Field(default="", pattern=r"^(https?://.*)?$")
    return_origins: CommaSeparated = ()
    #: The bank of new top-ups, and all whose notifications and open payments are looked after.
    bank: str = "tbank"
    banks: CommaSeparated = ()
    topup_description: str = Field(default="FastCheck top-up", min_length=1, max_length=80)
    topup_lifetime_seconds: int = Field(default=3600, ge=60, le=86_400)
    #: Money that comes after our expiry: credited, or given back to the card.
    topup_credit_late: bool = True
    topup_poll_first_seconds: float = Field(default=15.0, gt=0)
    topup_poll_max_seconds: float = Field(default=300.0, gt=0)
    topup_poll_late_max_seconds: float = Field(default=21_600.0, gt=0)
    topup_sweep_seconds: float = Field(default=2.0, gt=0)
    refund_sweep_seconds: float = Field(default=5.0, gt=0)
    #: So long after its expiry the bank is still asked about a top-up whose end it has not told.
    topup_give_up_days: int = Field(default=14, gt=0)
    forged_notifications_per_hour: int = 1_000
    notification_retention_days: int = 400
    idempotency_retention_hours: int = Field(default=72, ge=24)
    payments_worker_threads: int = 2
    retention_sweep_seconds: float = 3600.0

    @model_validator(mode="after")
    def _banks_are_known(self) -> Self:
        unknown = sorted({self.bank, *self.banks} - set(BANKS))
        if unknown:
            raise ValueError(f"FASTCHECK_BANK and FASTCHECK_BANKS know {', '.join(BANKS)}, not {', '.join(unknown)}")
        return self

    @property
    def enabled_banks(self) -> tuple[str, ...]:
        """All banks that are switched on, that of new top-ups first."""
        return tuple(dict.fromkeys((self.bank, *self.banks)))

    @property
    def allowed_return_origins(self) -> frozenset[str]:
        """Where a browser may be sent after paying: the listed origins and our own."""
        return frozenset(origin_of(url) for url in (self.public_url, *self.return_origins))


def origin_of(url: str) -> str:
    """``https://shop.example`` of any address there (RFC 6454); ValueError for what has no origin."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError(f"{url!r} has no origin")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = parts.port
    standard = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, standard) else "")
