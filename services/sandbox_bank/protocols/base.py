"""What each protocol gives: how its notifications look, and where it sends the browser."""

from collections.abc import Sequence
from typing import Protocol

from services.sandbox_bank.faults import Fault
from services.sandbox_bank.models import Message, Payment, Refund, State


class Wire(Protocol):
    """One protocol's messages to the merchant."""

    name: str
    #: How often a notification is tried before the bank gives up.
    max_attempts: int

    def labels(self, before: State, after: State) -> Sequence[str]:
        """The names of the notifications that a step brings about, in their proper order."""

    def message(
        self, payment: Payment, label: str, *, amount_minor: int, refund: Refund | None, spoilt: frozenset[Fault]
    ) -> Message | None:
        """One notification about the payment as it is now; None if the merchant has named no address for it.

        ``spoilt``: of WRONG_AMOUNT (``amount_minor`` is wrong already), WRONG_TERMINAL, WRONG_SIGNATURE.
        """

    def return_url(self, payment: Payment, *, paid: bool) -> str:
        """Where the browser goes when it is over."""
