"""The interface of a protocol: its notifications, and the URL for the browser's return."""

from collections.abc import Sequence
from typing import Protocol

from services.sandbox_bank.faults import Fault
from services.sandbox_bank.models import Message, Payment, Refund, State


class Wire(Protocol):
    """One protocol's messages to the merchant."""

    name: str
    #: Number of delivery attempts of a notification.
    max_attempts: int

    def labels(self, before: State, after: State) -> Sequence[str]:
        """Return the names of the notifications of a change of state, in order."""

    def message(
        self, payment: Payment, label: str, *, amount_minor: int, refund: Refund | None, spoilt: frozenset[Fault]
    ) -> Message | None:
        """Return a notification of the payment's state, None if the merchant has configured no address.

        ``spoilt``: faults to apply, of WRONG_AMOUNT (``amount_minor`` is wrong already), WRONG_TERMINAL and
        WRONG_SIGNATURE.
        """

    def return_url(self, payment: Payment, *, paid: bool) -> str:
        """Return the URL for the browser after the payment."""
