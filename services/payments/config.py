"""Settings of the payments service. Settings of a bank are in its adapter, in ``banks/``."""

from typing import Final, Self
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import Field, SecretStr, model_validator

from common.core.settings import (
    BusSettings,
    CallerSettings,
    CommaSeparated,
    DatabaseSettings,
    HttpSettings,
    OptionalServiceUrl,
    PublicUrlSettings,
)
from services.payments.banks.base import BankEnvironment
from services.payments.banks.registry import BANKS

#: Characters of a path, a query or a fragment that are not percent-encoded (RFC 3986, section 3.3), and ``%`` itself.
_URL_SAFE: Final = "/?:@!$&'()*+,;=-._~%"


class PaymentsSettings(BankEnvironment, DatabaseSettings, BusSettings, CallerSettings, HttpSettings, PublicUrlSettings):
    """Settings of the processes of payments, without those of single banks."""

    payments_database_url: SecretStr
    """URL of the database of payments: `postgresql+psycopg2://role:password@host:port/database`."""
    payments_direct_database_url: SecretStr | None = None
    """URL of the same database without a pooler, for LISTEN, if the URL above leads to PgBouncer."""
    payments_token_key: SecretStr = SecretStr("")
    """Ed25519 private key with which payments signs its calls to balance and its messages (base64 of 32 bytes).
    Without it refunds wait, and the processes on the bus do not start."""
    balance_url: OptionalServiceUrl = ""
    """URL of the web process of balance: `http://host:port` or `https://host:port`."""
    callback_base_url: str = Field(default="", pattern=r"^(https?://.*)?$")
    """URL at which banks reach the gateway, if it differs from the public URL."""
    return_origins: CommaSeparated = ()
    """Origins to which a bank may return the browser, separated by commas. The public URL is always allowed."""
    bank: str = "tbank"
    """Bank of new top-ups: `tbank`, `yookassa` or `sber`."""
    banks: CommaSeparated = ()
    """Further enabled banks, separated by commas. Their notifications are accepted and their open top-ups polled."""
    topup_description: str = Field(default="FastCheck top-up", min_length=1, max_length=80)
    """Description of the payment on the bank's page."""
    topup_lifetime_seconds: int = Field(default=3600, ge=60, le=86_400)
    """Time after which an unpaid top-up expires."""
    topups_pending_per_user: int = Field(default=10, gt=0)
    """Maximum number of unpaid top-ups of one user."""
    rate_limit_enabled: bool = True
    """Whether rate limits apply."""
    topup_credit_late: bool = True
    """Whether a payment confirmed after the top-up expired is credited. Otherwise it is refunded to the card."""
    topup_poll_first_seconds: float = Field(default=15.0, gt=0)
    """Delay before the bank is first polled for the status of a top-up. The delay grows with each poll."""
    topup_poll_max_seconds: float = Field(default=300.0, gt=0)
    """Maximum delay between two polls for a top-up that has not expired."""
    topup_give_up_days: int = Field(default=14, gt=0)
    """Time after its expiration for which an unfinished top-up is still polled."""
    forged_notifications_per_hour: int = 1_000
    """Maximum number of forged notifications that are stored per bank and hour. All are counted."""
    idempotency_retention_hours: int = Field(default=72, ge=24)
    """Retention of idempotency keys, in hours."""

    @model_validator(mode="after")
    def _banks_are_known(self) -> Self:
        unknown = sorted({self.bank, *self.banks} - set(BANKS))
        if unknown:
            raise ValueError(f"FASTCHECK_BANK and FASTCHECK_BANKS know {', '.join(BANKS)}, not {', '.join(unknown)}")
        return self

    @property
    def enabled_banks(self) -> tuple[str, ...]:
        """Return the names of all enabled banks, the bank of new top-ups first."""
        return tuple(dict.fromkeys((self.bank, *self.banks)))

    @property
    def allowed_return_origins(self) -> frozenset[str]:
        """Return the origins that a browser may be redirected to after paying."""
        return frozenset(origin_of(url) for url in (self.public_url, *self.return_origins))


def origin_of(url: str) -> str:
    """Return the origin of a URL (RFC 6454), for example ``https://shop.example``; raise ValueError if it has none."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError(f"{url!r} has no origin")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = parts.port
    standard = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, standard) else "")


def canonical_url(url: str) -> str:
    """Return a URL as it was parsed: its origin, then path, query and fragment, percent-encoded in ASCII.

    The checked and the stored URL are therefore the same. Raises ValueError if it has no origin.
    """
    parts = urlsplit(url)
    path, query, fragment = (quote(part, safe=_URL_SAFE) for part in (parts.path, parts.query, parts.fragment))
    return origin_of(url) + urlunsplit(("", "", path, query, fragment))
