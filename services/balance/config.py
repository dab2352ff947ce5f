"""Settings of the balance service."""

from pydantic import SecretStr

from common.core.settings import BusSettings, CallerSettings, DatabaseSettings, GroupSettings, Settings


class BalanceSettings(Settings, DatabaseSettings, BusSettings, CallerSettings, GroupSettings):
    """Settings of the web process and the worker of balance."""

    balance_database_url: SecretStr
    """URL of the database of balance: `postgresql+psycopg2://role:password@host:port/database`."""
    balance_token_key: SecretStr
    """Ed25519 private key with which balance signs its messages on the bus (base64 of 32 bytes)."""
