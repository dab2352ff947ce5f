"""The life of a refund. It ends in one of two definite ways: the card has the money, or the user still has it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from services.payments.models import IllegalTransition


class RefundStatus(StrEnum):
    """Where a refund stands."""

    REQUESTED = "requested"  # the balance has not answered yet
    DEBITED = "debited"  # the money is off the user's balance; the bank is to give it to the card
    RETURNING = "returning"  # the bank refused; the money is to go back to the balance
    DONE = "done"  # the card has it
    REFUSED = "refused"  # the user has spent it: nothing was moved
    RETURNED = "returned"  # the user has it again


TRANSITIONS: Final[Mapping[RefundStatus, frozenset[RefundStatus]]] = {
    RefundStatus.REQUESTED: frozenset({RefundStatus.DEBITED, RefundStatus.REFUSED}),
    RefundStatus.DEBITED: frozenset({RefundStatus.DONE, RefundStatus.RETURNING}),
    RefundStatus.RETURNING: frozenset({RefundStatus.RETURNED}),
    RefundStatus.DONE: frozenset(),
    RefundStatus.REFUSED: frozenset(),
    RefundStatus.RETURNED: frozenset(),
}

FINISHED: Final = frozenset({RefundStatus.DONE, RefundStatus.REFUSED, RefundStatus.RETURNED})

#: A turn: nobody else moves a refund on for so long. Longer than the calls of one turn can take.
LEASE_SECONDS: Final = 60
MAX_PAUSE_SECONDS: Final = 3_600


@dataclass(frozen=True, slots=True)
class Refund:
    """One refund of a top-up, whole or in part, in whole minor units.

    ``bank_order_id``: the attempt whose money goes back. Not ``was_credited``: surplus money, which was never on the
    balance; where the bank does not take it back, the user gets it.
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
    unknown: int
    tries: int
    created_at: datetime
    finished_at: datetime | None

    @property
    def is_finished(self) -> bool:
        return self.status in FINISHED

    def must_become(self, status: RefundStatus) -> RefundStatus:
        """The step, for the one who makes it; raises IllegalTransition."""
        if status not in TRANSITIONS[self.status]:
            raise IllegalTransition(f"a refund cannot go from {self.status} to {status}")
        return status

    def retry_delay(self) -> timedelta:
        """How long until the next turn: longer each time."""
        return timedelta(seconds=min(MAX_PAUSE_SECONDS, 5 * 2 ** min(self.tries, 20)))


@dataclass(frozen=True, slots=True)
class NewRefund:
    """What an operator asks for. Without ``amount_minor``: all that is left."""

    refund_id: UUID
    topup_id: UUID
    amount_minor: int | None
    operator: str
    reason: str
