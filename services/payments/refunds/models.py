"""The life cycle of a refund. In the end either the card or the user's balance has the money."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from services.payments.models import IllegalTransition


class RefundStatus(StrEnum):
    """Status of a refund, as stored."""

    REQUESTED = "requested"  # balance has not confirmed the debit yet
    DEBITED = "debited"  # the user's balance is debited; the bank has to refund the card
    RETURNING = "returning"  # the bank rejected the refund; the balance has to be credited again
    DONE = "done"  # the card is refunded
    REFUSED = "refused"  # insufficient balance: nothing was moved
    RETURNED = "returned"  # the balance is credited again


TRANSITIONS: Final[Mapping[RefundStatus, frozenset[RefundStatus]]] = {
    RefundStatus.REQUESTED: frozenset({RefundStatus.DEBITED, RefundStatus.REFUSED}),
    RefundStatus.DEBITED: frozenset({RefundStatus.DONE, RefundStatus.RETURNING}),
    RefundStatus.RETURNING: frozenset({RefundStatus.RETURNED}),
    RefundStatus.DONE: frozenset(),
    RefundStatus.REFUSED: frozenset(),
    RefundStatus.RETURNED: frozenset(),
}

FINISHED: Final = frozenset({RefundStatus.DONE, RefundStatus.REFUSED, RefundStatus.RETURNED})

#: Time for which one worker holds a refund. Longer than the calls of one attempt can take.
LEASE_SECONDS: Final = 60
MAX_RETRY_DELAY_SECONDS: Final = 3_600


@dataclass(frozen=True, slots=True)
class Refund:
    """One full or partial refund of a top-up. ``amount_minor`` is in minor units.

    ``bank_order_id``: the order of the attempt that is refunded. ``was_credited`` is false for a surplus payment, which
    was never on the balance; if the bank rejects its refund, the user is credited instead. ``unknown_outcomes``: calls
    to the bank without a known outcome. ``attempts``: all attempts to advance the refund.
    """

    refund_id: UUID
    topup_id: UUID
    bank_order_id: str
    was_credited: bool
    amount_minor: int
    status: RefundStatus
    operator: str
    reason: str
    note: str | None
    unknown_outcomes: int
    attempts: int
    created_at: datetime
    finished_at: datetime | None

    @property
    def is_finished(self) -> bool:
        return self.status in FINISHED

    def must_become(self, status: RefundStatus) -> RefundStatus:
        """Return ``status``; raise IllegalTransition if TRANSITIONS forbids it next."""
        if status not in TRANSITIONS[self.status]:
            raise IllegalTransition(f"a refund cannot go from {self.status} to {status}")
        return status

    def retry_delay(self) -> timedelta:
        """Return the delay before the next attempt, with exponential backoff."""
        return timedelta(seconds=min(MAX_RETRY_DELAY_SECONDS, 5 * 2 ** min(self.attempts, 20)))


@dataclass(frozen=True, slots=True)
class NewRefund:
    """A request of an operator. ``amount_minor`` is in minor units; None refunds the remainder."""

    refund_id: UUID
    topup_id: UUID
    amount_minor: int | None
    operator: str
    reason: str
