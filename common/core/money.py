"""Money as whole minor units of one currency. FastCheck uses no floats."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

#: Decimal places per currency (ISO 4217). Other currencies are unknown.
MINOR_DIGITS: Final[dict[str, int]] = {"RUB": 2, "USD": 2, "EUR": 2, "CNY": 2, "KZT": 2, "BYN": 2, "JPY": 0}

#: The currencies in which checks and top-ups are accepted.
ACCEPTED_CURRENCIES: Final = ("RUB",)

#: The largest single amount, in minor units: ten billion roubles. Sums of millions of
#: such amounts still fit a signed 64-bit column.
MAX_AMOUNT_MINOR: Final = 10**12


@dataclass(frozen=True, slots=True)
class Money:
    """A non-negative amount, in minor units (kopecks for RUB), of one ISO 4217 currency."""

    amount_minor: int
    currency: str

    def __post_init__(self) -> None:
        if isinstance(self.amount_minor, bool) or not isinstance(self.amount_minor, int):
            raise TypeError("amount_minor must be an int")
        if self.amount_minor < 0:
            raise ValueError("amount_minor must not be negative")
        if self.currency not in MINOR_DIGITS:
            raise ValueError(f"unknown currency {self.currency!r}")

    def __str__(self) -> str:
        """Format as ``150.00 RUB``, for messages and for protocols with a decimal point."""
        return f"{self.to_decimal()} {self.currency}"

    def to_decimal(self) -> Decimal:
        """Return the amount in major units with the currency's number of decimal places."""
        return Decimal(self.amount_minor).scaleb(-MINOR_DIGITS[self.currency])

    @classmethod
    def from_decimal(cls, value: str | Decimal, currency: str) -> "Money":
        """Parse major units (``"150.00"``); raises ValueError for a fraction of a minor unit."""
        minor = Decimal(value).scaleb(MINOR_DIGITS[currency])
        if minor != minor.to_integral_value():
            raise ValueError(f"{value} {currency} is not a whole number of minor units")
        return cls(int(minor), currency)
