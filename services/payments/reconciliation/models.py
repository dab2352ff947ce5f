"""What a comparison finds."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.payments.banks.base import Notification
from services.payments.models import AttemptState, TopUpStatus


class Kind(StrEnum):
    """In what way we and the bank differ about a payment."""

    MISSING_THERE = "missing_there"
    MISSING_HERE = "missing_here"
    DIFFERENT_AMOUNT = "different_amount"
    DIFFERENT_STATUS = "different_status"


@dataclass(frozen=True, slots=True)
class OurPayment:
    """One attempt of ours, with its top-up. ``amount_minor`` and ``refunded_minor`` in whole minor units."""

    topup_id: UUID
    bank_order_id: str
    bank_payment_id: str | None
    attempt_state: AttemptState
    status: TopUpStatus
    amount_minor: int
    refunded_minor: int
    currency: str
    created_at: datetime
    expires_at: datetime

    @property
    def is_credited(self) -> bool:
        """Whether this attempt's money is on the user's balance, or was."""
        return self.attempt_state is AttemptState.PAID and self.status is not TopUpStatus.FAILED


@dataclass(frozen=True, slots=True)
class Difference:
    """One payment about which we and the bank differ. ``applied`` is what became of it, where that was asked for."""

    kind: Kind
    ours: OurPayment | None
    theirs: Notification | None
    applied: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a comparison: what it was made with, how many payments were compared, what differs."""

    source: str
    compared: int
    differences: list[Difference]
