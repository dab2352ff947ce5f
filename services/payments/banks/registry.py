"""The available banks. A new bank is one module in this package and one line in ``BANKS``."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from services.payments.banks import sber, tbank, yookassa
from services.payments.banks.base import Bank, BankEnvironment

BANKS: Final[Mapping[str, Callable[[BankEnvironment], Bank]]] = {
    tbank.NAME: tbank.open_bank,
    yookassa.NAME: yookassa.open_bank,
    sber.NAME: sber.open_bank,
}


def open_banks(names: Iterable[str], environment: BankEnvironment) -> dict[str, Bank]:
    """Create the adapters of the enabled banks; exit the process with a message if a setting is missing."""
    return {name: BANKS[name](environment) for name in names}
