"""The dependencies of a process of balance, created once at its start."""

from dataclasses import dataclass
from datetime import timedelta
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
        """Create the dependencies; connects to nothing yet."""
        return cls(
            db=Database(
                settings.balance_database_url.get_secret_value(),
                settings=settings,
                application_name=application_name,
            ),
            clock=SystemClock(timedelta(seconds=settings.clock_offset_seconds)),
            debits=GroupRunner("debit", enabled=settings.group_commit),
            credits=GroupRunner("credit", enabled=settings.group_commit),
            settings=settings,
        )
