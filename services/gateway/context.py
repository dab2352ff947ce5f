"""The dependencies of a gateway process, created once from the settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Final, Self

from common.http.client.client import HttpClient
from common.http.server.identity import TokenIssuer
from services.gateway.clients import AccountsClient, open_clients
from services.gateway.config import GatewaySettings
from services.gateway.documentation import PublicDocument
from services.gateway.known_devices import DeviceTokens
from services.gateway.models import NO_LIMIT, Limit, Rate
from services.gateway.repository import Cache, seal_key_of

#: Maximum number of connections to the cache.
CACHE_POOL_SIZE: Final = 64


@dataclass(frozen=True, slots=True)
class Context:
    """Clients of all services, the cache, and limits. Processes share no state except in the cache."""

    settings: GatewaySettings
    cache: Cache
    tokens: TokenIssuer
    devices: DeviceTokens
    services: Mapping[str, HttpClient]
    accounts: AccountsClient
    document: PublicDocument
    limits: Mapping[Rate, Limit]
    password_slots: BoundedSemaphore
    body_slots: BoundedSemaphore
    export_slots: BoundedSemaphore

    @classmethod
    def open(cls, settings: GatewaySettings) -> Self:
        """Create the dependencies; opens no connection."""
        tokens = TokenIssuer("gateway", settings.gateway_token_key.get_secret_value())
        services = open_clients(settings)
        return cls(
            settings=settings,
            cache=Cache(
                settings.cache_url.get_secret_value(),
                seal_key=seal_key_of(settings.gateway_token_key.get_secret_value()),
                pool_size=CACHE_POOL_SIZE,
                timeout_seconds=settings.cache_timeout_seconds,
                retry_seconds=settings.cache_retry_seconds,
                tls=settings,
            ),
            tokens=tokens,
            devices=DeviceTokens(
                settings.gateway_token_key.get_secret_value(), secure=settings.public_url.startswith("https://")
            ),
            services=services,
            accounts=AccountsClient(services["accounts"], tokens),
            document=PublicDocument(services, settings.public_url),
            limits=_limits(settings),
            password_slots=BoundedSemaphore(settings.passwords_at_once),
            body_slots=BoundedSemaphore(settings.bodies_at_once),
            export_slots=BoundedSemaphore(settings.exports_at_once),
        )


def _limits(settings: GatewaySettings) -> dict[Rate, Limit]:
    if not settings.rate_limit_enabled:
        return dict.fromkeys(Rate, NO_LIMIT)
    return {
        Rate.READ: settings.rate_limit_read,
        Rate.WRITE: settings.rate_limit_write,
        Rate.PASSWORD: settings.rate_limit_password,
        Rate.REGISTER: settings.rate_limit_register,
        Rate.TOPUP: settings.rate_limit_topup,
        Rate.GUEST: settings.rate_limit_guest,
        Rate.UNLIMITED: NO_LIMIT,
    }
