"""The report of a reconciliation."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.payments.banks.base import Notification
from services.payments.models import AttemptState, TopUpStatus


class Kind(StrEnum):
    """Kind of a difference. ``here`` is this service, ``there`` is the bank."""

    MISSING_THERE = "missing_there"
    MISSING_HERE = "missing_here"
    DIFFERENT_AMOUNT = "different_amount"
    DIFFERENT_STATUS = "different_status"


@dataclass(frozen=True, slots=True)
class OurPayment:
    """A stored attempt with its top-up. Amounts are in minor units."""

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
        """Return whether this attempt was credited to the user's balance."""
        return self.attempt_state is AttemptState.PAID and self.status is not TopUpStatus.FAILED


@dataclass(frozen=True, slots=True)
class Difference:
    """One payment that differs. ``applied``: the result of applying the bank's status report, if requested."""

    kind: Kind
    ours: OurPayment | None
    theirs: Notification | None
    applied: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a reconciliation: its source, the number of payments compared, and the differences."""

    source: str
    compared: int
    differences: list[Difference]
