"""The dependencies of the sandbox bank, created once from the settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event
from typing import Self

from common.core.clock import Clock, SystemClock
from common.db.engine import Database
from services.sandbox_bank.config import SandboxBankSettings
from services.sandbox_bank.protocols.base import Wire
from services.sandbox_bank.protocols.registry import wires


@dataclass(frozen=True, slots=True)
class Context:
    """The database, the clock, and the message formats of each protocol."""

    db: Database
    clock: Clock
    settings: SandboxBankSettings
    wires: Mapping[str, Wire]
    #: Set when a notification is due: wakes the delivery thread of this process.
    wake: Event = field(default_factory=Event)

    @classmethod
    def open(cls, settings: SandboxBankSettings) -> Self:
        """Connects to nothing yet."""
        return cls(
            db=Database(
                settings.sandbox_bank_database_url.get_secret_value(),
                settings=settings,
                application_name="sandbox-bank",
            ),
            clock=SystemClock(timedelta(seconds=settings.clock_offset_seconds)),
            settings=settings,
            wires=wires(settings),
        )

    def page_url(self, page_key: str) -> str:
        """Where a payment is paid."""
        return f"{self.settings.sandbox_bank_url.rstrip('/')}/pay/{page_key}"
