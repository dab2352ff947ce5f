"""Settings of the webhooks service."""

from ipaddress import ip_network

from pydantic import Field, FilePath, SecretStr, field_validator

from common.core.settings import (
    BusSettings,
    CallerSettings,
    CommaSeparated,
    DatabaseSettings,
    HttpSettings,
    ServiceUrl,
    Settings,
)
from services.webhooks.signing import SecretVault


class WebhooksSettings(Settings, DatabaseSettings, BusSettings, CallerSettings, HttpSettings):
    """Settings of the web process and the bus processes of webhooks."""

    webhooks_database_url: SecretStr
    """URL of the database of webhooks: `postgresql+psycopg2://role:password@host:port/database`."""
    webhooks_token_key: SecretStr
    """Ed25519 private key with which webhooks signs its calls and its messages (base64 of 32 bytes)."""
    webhook_keys: SecretStr
    """Fernet keys for the signing secrets of webhooks, separated by commas, newest first. The first encrypts, all
    decrypt."""
    checks_url: ServiceUrl
    """URL of the web process of checks: `http://host:port` or `https://host:port`."""
    payments_url: ServiceUrl
    """URL of the web process of payments: `http://host:port` or `https://host:port`."""

    webhook_allowed_networks: CommaSeparated = ()
    """Private networks to which webhooks may be delivered, separated by commas, for example `127.0.0.0/8` to develop a
    receiver on this machine. Only in the sandbox; public addresses are always allowed."""
    webhook_ca: FilePath | None = None
    """PEM file of the CAs that sign the certificates of receivers. Without it, the public CAs are trusted."""
    webhook_timeout_seconds: float = Field(default=10.0, gt=0, le=30)
    """Maximum duration of one delivery, to the end of the response."""
    webhook_poll_seconds: float = Field(default=1.0, gt=0)
    """Interval between scans for deliveries that are due."""

    @field_validator("webhook_keys")
    @classmethod
    def _are_keys(cls, keys: SecretStr) -> SecretStr:
        SecretVault(keys.get_secret_value())
        return keys

    @field_validator("webhook_allowed_networks")
    @classmethod
    def _are_networks(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(ip_network(value)) for value in values)

    def model_post_init(self, context: object) -> None:
        super().model_post_init(context)
        if self.environment == "production" and self.webhook_allowed_networks:
            raise ValueError("FASTCHECK_WEBHOOK_ALLOWED_NETWORKS is for the sandbox: unset it in production")
