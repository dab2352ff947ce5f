"""Settings of the gateway."""

import re

from pydantic import Field, SecretStr, field_validator

from common.core.settings import CommaSeparated, HttpSettings, PublicUrlSettings, ServiceUrl, Settings
from services.gateway.cors import origin
from services.gateway.models import Limit, RateLimit


class GatewaySettings(Settings, HttpSettings, PublicUrlSettings):
    """Settings of the gateway."""

    cache_url: SecretStr
    """URL of the Redis for sessions and rate limits: `redis://…`, or `rediss://…` with TLS. Its content may be lost
    at any time."""
    gateway_token_key: SecretStr
    """Ed25519 private key with which the gateway signs its calls to services (base64 of 32 bytes)."""
    accounts_url: ServiceUrl
    """URL of the web process of accounts: `http://host:port` or `https://host:port`."""
    balance_url: ServiceUrl
    """URL of the web process of balance: `http://host:port` or `https://host:port`."""
    checks_url: ServiceUrl
    """URL of the web process of checks: `http://host:port` or `https://host:port`."""
    payments_url: ServiceUrl
    """URL of the web process of payments: `http://host:port` or `https://host:port`."""
    webhooks_url: ServiceUrl
    """URL of the web process of webhooks: `http://host:port` or `https://host:port`."""

    payments_timeout_seconds: float = 15.0
    """Maximum duration of a call to payments, which may wait for a bank."""

    client_address_header: str = Field(default="", pattern=r"^[A-Za-z0-9]*$")
    """Header in which the proxy before the gateway sends the client's address, and nothing else: letters and digits
    only, for example `ClientAddress`. Empty: clients connect directly."""

    cors_origins: CommaSeparated = ()
    """Origins whose pages may call the API from a browser, separated by commas: `https://app.example`; `*` for all."""

    security_contact: CommaSeparated = ()
    """Where to report a vulnerability, in `/.well-known/security.txt`: `mailto:`, `tel:` or `https://` addresses,
    separated by commas. Empty: the file is not served."""

    passwords_at_once: int = Field(default=40, gt=0)
    """Maximum number of concurrent requests with a password. Keep it below the number of threads."""
    bodies_at_once: int = Field(default=32, gt=0)
    """Maximum number of concurrent requests with a body. Keep it below the number of threads."""

    exports_at_once: int = Field(default=8, gt=0)
    """Maximum number of concurrent exports of lists as CSV. Keep it below the number of threads."""

    cache_timeout_seconds: float = 0.2
    """Maximum duration of a call to the cache."""
    cache_retry_seconds: float = 1.0
    """Time for which the cache is not called after a failure."""

    rate_limit_enabled: bool = True
    """Whether rate limits apply."""
    rate_limit_read: RateLimit = Limit(per_minute=3000, burst=500)
    """Read requests of one user: per minute, and at once. Format: `3000/500`."""
    rate_limit_write: RateLimit = Limit(per_minute=1200, burst=200)
    """Write requests of one user: per minute, and at once."""
    rate_limit_password: RateLimit = Limit(per_minute=600, burst=300)
    """Requests with a password from one address: per minute, and at once."""
    rate_limit_register: RateLimit = Limit(per_minute=1, burst=20)
    """New accounts from one address: per minute, and at once."""
    rate_limit_topup: RateLimit = Limit(per_minute=10, burst=10)
    """New top-ups of one user: per minute, and at once."""
    rate_limit_guest: RateLimit = Limit(per_minute=600, burst=300)
    """Requests without a session from one address: per minute, and at once."""

    @field_validator("security_contact")
    @classmethod
    def _are_contacts(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            if not re.fullmatch(r"(mailto:|tel:|https://)[!-~]+", value):
                raise ValueError("a contact is a mailto:, tel: or https:// address")
        return values

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(origin(value) for value in values)
