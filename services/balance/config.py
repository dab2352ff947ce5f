"""Settings of the balance service."""

from pydantic import SecretStr

from common.core.settings import BusSettings, CallerSettings, DatabaseSettings, Settings


class BalanceSettings(Settings, DatabaseSettings, BusSettings, CallerSettings):
    """Settings of the web process and the worker of balance."""

    balance_database_url: SecretStr
    """URL of the database of balance: `postgresql+psycopg2://role:password@host:port/database`."""
    balance_worker_threads: int = 2
    """Threads of the worker of balance."""
    retention_sweep_seconds: float = 3600.0
    """Interval between deletions of expired rows."""
    chain_seal_seconds: float = 10.0
    """Interval between extensions of the hash chain over the ledger."""
