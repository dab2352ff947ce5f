"""Settings of the gateway."""

from pydantic import Field, SecretStr

from common.core.settings import HttpSettings, Settings
from services.gateway.models import Limit, RateLimit


class GatewaySettings(Settings, HttpSettings):
    """Everything that the gateway reads."""

    public_url: str
    cache_url: SecretStr
    gateway_token_key: SecretStr
    accounts_url: str
    balance_url: str
    checks_url: str
    payments_url: str

    #: A bank may take its time, and must not take all of ours.
    payments_timeout_seconds: float = 15.0
    payments_pool_size: int = Field(default=16, gt=0)

    #: How many proxies of ours stand in front and add to ``X-Forwarded-For``. 0: the header is not believed.
    trusted_proxies: int = Field(default=0, ge=0)

    #: Both below the number of threads of the process, so that reads are served whatever these wait for.
    passwords_at_once: int = Field(default=40, gt=0)
    bodies_at_once: int = Field(default=32, gt=0)

    cache_timeout_seconds: float = 0.2
    cache_pool_size: int = Field(default=64, gt=0)
    #: After a failure the cache is left alone for so long.
    cache_retry_seconds: float = 1.0

    rate_limit_enabled: bool = True
    rate_limit_read: RateLimit = Limit(per_minute=3000, burst=500)
    rate_limit_write: RateLimit = Limit(per_minute=1200, burst=200)
    rate_limit_password: RateLimit = Limit(per_minute=600, burst=300)
    rate_limit_guest: RateLimit = Limit(per_minute=600, burst=300)
