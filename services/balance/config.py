"""Settings of the balance service."""

from pydantic import SecretStr

from common.core.settings import BusSettings, CallerSettings, DatabaseSettings, GroupSettings, Settings


class BalanceSettings(Settings, DatabaseSettings, BusSettings, CallerSettings, GroupSettings):
    """Settings of the web process and the worker of balance."""

    balance_database_url: SecretStr
    """URL of the database of balance: `postgresql+psycopg2://role:password@host:port/database`."""
