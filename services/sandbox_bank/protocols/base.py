"""What each protocol gives: how its notifications look, and where it sends the browser."""

from collections.abc import Sequence
from typing import Protocol

from services.sandbox_bank.models import Message, Payment, State


class Wire(Protocol):
    """One protocol's messages to the merchant."""

    name: str

    def labels(self, before: State, after: State) -> Sequence[str]:
        """The names of the notifications that a step brings about, in their proper order."""

    def message(
        self, payment: Payment, label: str, *, amount_minor: int, wrong_terminal: bool, wrong_signature: bool
    ) -> Message | None:
        """One notification, spoilt as asked; None if the merchant has named no address for it."""

    def return_url(self, payment: Payment, *, paid: bool) -> str:
        """Where the browser goes when it is over."""
