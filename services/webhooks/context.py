"""The dependencies of a process of webhooks, created once from the settings."""

from dataclasses import dataclass
from typing import Self

from common.core.clock import Clock, SystemClock
from common.db.engine import Database
from services.webhooks.addresses import AddressPolicy
from services.webhooks.clients import PublisherClients, WebhookSender
from services.webhooks.config import WebhooksSettings
from services.webhooks.signing import SecretVault


@dataclass(frozen=True, slots=True)
class Context:
    """The database, the clock, the publishers of events, the encryption of secrets, and the way to the receivers."""

    db: Database
    clock: Clock
    publishers: PublisherClients
    secrets: SecretVault
    addresses: AddressPolicy
    sender: WebhookSender
    settings: WebhooksSettings

    @classmethod
    def open(cls, settings: WebhooksSettings, application_name: str) -> Self:
        """Create the dependencies; opens no connection."""
        addresses = AddressPolicy(
            settings.webhook_allowed_networks, requires_https=settings.environment == "production"
        )
        return cls(
            db=Database.of(settings.webhooks_database_url, settings, application_name),
            clock=SystemClock.of(settings),
            publishers=PublisherClients.of(settings),
            secrets=SecretVault(settings.webhook_keys.get_secret_value()),
            addresses=addresses,
            sender=WebhookSender(addresses, timeout_seconds=settings.webhook_timeout_seconds, ca=settings.webhook_ca),
            settings=settings,
        )
