"""The dependencies of a process of payments, created once from the settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from common.core.clock import Clock, SystemClock
from common.db.engine import Database
from services.payments.banks.base import Bank
from services.payments.banks.registry import open_banks
from services.payments.clients import BalanceClient
from services.payments.config import PaymentsSettings


@dataclass(frozen=True, slots=True)
class Context:
    """The database of top-ups, the clock, the enabled banks, the client of balance."""

    db: Database
    clock: Clock
    banks: Mapping[str, Bank]
    balance: BalanceClient
    settings: PaymentsSettings

    @classmethod
    def open(cls, settings: PaymentsSettings, application_name: str, banks: Mapping[str, Bank] | None = None) -> Self:
        """Create the dependencies; opens no connection. Without ``banks``, create the adapters from the environment."""
        return cls(
            db=Database.of(
                settings.payments_database_url, settings, application_name, settings.payments_direct_database_url
            ),
            clock=SystemClock.of(settings),
            banks=banks if banks is not None else open_banks(settings.enabled_banks, settings),
            balance=BalanceClient.of(settings),
            settings=settings,
        )

    def callback_url(self, bank: str) -> str:
        """Return the URL to which a bank sends notifications."""
        base = self.settings.callback_base_url or self.settings.public_url
        return f"{base.rstrip('/')}/bank/webhook/{bank}"

    def return_url(self, topup_id: object) -> str:
        """Return the URL of this service to which a bank sends the browser, so that the return triggers a poll."""
        return f"{self.settings.public_url.rstrip('/')}/topup/{topup_id}/return"
