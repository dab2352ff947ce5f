"""The dependencies of the sandbox bank, created once from the settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
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
        """Create the dependencies; opens no connection."""
        return cls(
            db=Database.of(settings.sandbox_bank_database_url, settings, "sandbox-bank"),
            clock=SystemClock.of(settings),
            settings=settings,
            wires=wires(settings),
        )

    def page_url(self, page_key: str) -> str:
        """Return the URL of a payment page."""
        return f"{self.settings.sandbox_bank_url.rstrip('/')}/pay/{page_key}"
