"""The dependencies of a process of balance, created once from the settings."""

from dataclasses import dataclass
from typing import Self

from common.core.clock import Clock, SystemClock
from common.core.grouping import GroupRunner
from common.db.engine import Database
from services.balance.config import BalanceSettings
from services.balance.models import Posting


@dataclass(frozen=True, slots=True)
class Context:
    """The ledger's database, the clock, and the groups of concurrent debits and credits."""

    db: Database
    clock: Clock
    debits: GroupRunner[Posting, None]
    credits: GroupRunner[Posting, None]
    settings: BalanceSettings

    @classmethod
    def open(cls, settings: BalanceSettings, application_name: str) -> Self:
        """Create the dependencies; opens no connection."""
        return cls(
            db=Database.of(settings.balance_database_url, settings, application_name),
            clock=SystemClock.of(settings),
            debits=GroupRunner("debit", enabled=settings.group_commit),
            credits=GroupRunner("credit", enabled=settings.group_commit),
            settings=settings,
        )
