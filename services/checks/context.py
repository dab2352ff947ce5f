"""The dependencies of a process of checks, created once from the settings."""

from dataclasses import dataclass
from typing import Self

from common.bus.batched_acknowledger import BatchedAcknowledger
from common.core.clock import Clock, SystemClock
from common.core.grouping import GroupRunner
from common.db.engine import Database
from services.checks.clients import BalanceClient
from services.checks.codes.vault import CodeVault
from services.checks.config import ChecksSettings
from services.checks.models import Acceptance, Creation, Result, Settled


@dataclass(frozen=True, slots=True)
class Context:
    """The database, the clock, the client of balance, the encryption of codes, the acknowledger of settled events.

    ``creations`` and ``acceptances`` group concurrent requests.
    """

    db: Database
    clock: Clock
    balance: BalanceClient
    codes: CodeVault
    acknowledger: BatchedAcknowledger
    creations: GroupRunner[Creation, Result]
    acceptances: GroupRunner[Acceptance, Settled]
    settings: ChecksSettings

    @classmethod
    def open(cls, settings: ChecksSettings, application_name: str) -> Self:
        """Create the dependencies; opens no connection."""
        db = Database.of(settings.checks_database_url, settings, application_name, settings.checks_direct_database_url)
        return cls(
            db=db,
            clock=SystemClock.of(settings),
            balance=BalanceClient.of(settings),
            codes=CodeVault(settings.code_keys.get_secret_value()),
            acknowledger=BatchedAcknowledger(db, subscriber="balance"),
            creations=GroupRunner("create", enabled=settings.group_commit),
            acceptances=GroupRunner("accept", enabled=settings.group_commit),
            settings=settings,
        )
