"""The dependencies of a process, built once at its start from the settings."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from common.bus.batched_acknowledger import BatchedAcknowledger
from common.core.clock import Clock, SystemClock
from common.db.engine import Database
from services.checks.clients import BalanceClient
from services.checks.codes.vault import CodeVault
from services.checks.config import ChecksSettings


@dataclass(frozen=True, slots=True)
class Context:
    """The database, the clock, the client of balance, the encryption of codes, the acknowledger of settled events."""

    db: Database
    clock: Clock
    balance: BalanceClient
    codes: CodeVault
    acknowledger: BatchedAcknowledger
    settings: ChecksSettings

    @classmethod
    def open(cls, settings: ChecksSettings, application_name: str) -> Self:
        """Build the dependencies; opens no connection."""
        db = Database(
            settings.checks_database_url.get_secret_value(), settings=settings, application_name=application_name
        )
        return cls(
            db=db,
            clock=SystemClock(timedelta(seconds=settings.clock_offset_seconds)),
            balance=BalanceClient.of(settings),
            codes=CodeVault(settings.code_keys.get_secret_value()),
            acknowledger=BatchedAcknowledger(db, subscriber="balance"),
            settings=settings,
        )
