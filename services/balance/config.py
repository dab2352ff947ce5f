"""Settings of the balance service."""

from pydantic import SecretStr

from common.core.settings import BusSettings, CallerSettings, DatabaseSettings, Settings


class BalanceSettings(Settings, DatabaseSettings, BusSettings, CallerSettings):
    """Everything that the web process and the worker of balance read."""

    balance_database_url: SecretStr
    balance_worker_threads: int = 2
    retention_sweep_seconds: float = 3600.0
    #: How often the hash chain is led up to the present.
    chain_seal_seconds: float = 10.0
