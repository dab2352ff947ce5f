"""The sandbox bank's books: payments, and notifications on their way. Tables are in ``migrations``.

States have T-Bank's names; the other protocols translate.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from common.core.money import Money
from services.sandbox_bank.faults import Fault

#: The two cards that work here. They are the card schemes' own test numbers and belong to nobody.
PAYING_CARD: Final = "4111111111111111"
DECLINED_CARD: Final = "4000000000000002"


class State(StrEnum):
    """Where a payment stands at the bank."""

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
        """Whether TRANSITIONS has this step."""
        return state in TRANSITIONS[self.state]


@dataclass(frozen=True, slots=True)
class Refund:
    """Money that went back, wholly or in part."""

    public_id: str
    payment_id: str
    amount_minor: int
    currency: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Message:
    """A notification as it will be sent. ``wants`` is the body that ends the repeats; None: any 200 does."""

    label: str
    method: str
    url: str
    content_type: str
    body: bytes
    wants: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message on its way."""

    delivery_id: int
    attempts: int
    message: Message
