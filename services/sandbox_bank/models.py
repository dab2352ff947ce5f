"""Payments and pending notifications of the sandbox bank. Tables are in ``migrations``.

States have T-Bank's names; the other protocols translate them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from common.core.money import Money
from services.sandbox_bank.faults import Fault

#: The two accepted cards. They are public test numbers of the card schemes.
PAYING_CARD: Final = "4111111111111111"
DECLINED_CARD: Final = "4000000000000002"


class State(StrEnum):
    """State of a payment at the bank."""

    NEW = "NEW"
    AUTHORIZED = "AUTHORIZED"
    CONFIRMED = "CONFIRMED"
    REJECTED = "REJECTED"
    CANCELED = "CANCELED"
    DEADLINE_EXPIRED = "DEADLINE_EXPIRED"
    REVERSED = "REVERSED"
    PARTIAL_REFUNDED = "PARTIAL_REFUNDED"
    REFUNDED = "REFUNDED"


TRANSITIONS: Final[Mapping[State, frozenset[State]]] = {
    State.NEW: frozenset({State.AUTHORIZED, State.CONFIRMED, State.REJECTED, State.CANCELED, State.DEADLINE_EXPIRED}),
    State.AUTHORIZED: frozenset({State.CONFIRMED, State.REVERSED}),
    State.CONFIRMED: frozenset({State.PARTIAL_REFUNDED, State.REFUNDED}),
    State.PARTIAL_REFUNDED: frozenset({State.PARTIAL_REFUNDED, State.REFUNDED}),
    State.REJECTED: frozenset(),
    State.CANCELED: frozenset(),
    State.DEADLINE_EXPIRED: frozenset(),
    State.REVERSED: frozenset(),
    State.REFUNDED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment of a merchant. ``public_id`` is its id in the protocol, ``page_key`` opens its page."""

    payment_no: int
    protocol: str
    public_id: str
    order_id: str | None
    amount_minor: int
    refunded_minor: int
    currency: str
    description: str
    state: State
    notify_url: str | None
    success_url: str
    fail_url: str
    page_key: str
    expires_at: datetime
    created_at: datetime
    faults: frozenset[Fault]
    details: dict[str, Any]

    @property
    def money(self) -> Money:
        return Money(self.amount_minor, self.currency)

    def may_become(self, state: State) -> bool:
        """Return whether TRANSITIONS allows this state next."""
        return state in TRANSITIONS[self.state]


@dataclass(frozen=True, slots=True)
class Refund:
    """A full or partial refund."""

    public_id: str
    payment_id: str
    amount_minor: int
    currency: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Message:
    """A notification ready to send. ``wants``: response body that acknowledges it; None accepts any 200."""

    label: str
    method: str
    url: str
    content_type: str
    body: bytes
    wants: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message to deliver."""

    delivery_id: int
    attempts: int
    message: Message
