"""Flows of refunds that an operator requests."""

from typing import ClassVar, Final
from uuid import uuid4

from tests.faults.crash_points.flow import Flow


class Refund(Flow):
    """A part of a top-up is returned to the card."""

    name = "refund"
    balances: ClassVar = {"anna": 60_000, "boris": 0}
    minimum_points: ClassVar = {"payments commit": 4, "payments http": 2, "balance commit": 1, "bank commit": 1}

    def prepare(self) -> None:
        self.transaction = self.top_up("anna", 100_000)

    def arrange(self) -> None:
        self.refund_id = str(uuid4())

    def act(self) -> None:
        wanted = {"refundID": self.refund_id, "amount": 40_000, "operator": "olga", "reason": "the customer asked"}
        self.ask(self.users.operator_request(f"/internal/topups/{self.transaction}/refunds", wanted))


class RefundRefused(Refund):
    """The bank refuses: the debited amount is credited again."""

    name = "refund, refused by the bank"
    balances: ClassVar = {"anna": 100_000, "boris": 0}
    minimum_points: ClassVar = {"payments commit": 5, "payments http": 4, "balance commit": 2, "bank commit": 1}
    changes: ClassVar = {"bank": ("bank refuses refunds",)}


class RefundOnSchedule(Refund):
    """Balance was down when the operator requested the refund; the schedule completes it."""

    name = "refund, by the schedule"
    minimum_points: ClassVar = {
        "payments-worker commit": 3,
        "payments-worker http": 2,
        "balance commit": 1,
        "bank commit": 1,
    }

    def prepare(self) -> None:
        super().prepare()
        super().arrange()
        self.system.stop("balance")
        super().act()
        self.system.restart_dead()

    def arrange(self) -> None:
        self.system.set_clock_ahead(90)

    def act(self) -> None:
        self.request = None
        self.system.start("payments-worker")
        self.system.start("payments-scheduler", "payments.pursue_refunds")

    def is_done(self) -> bool:
        left = self.system.value("payments", "SELECT count(*) FROM refunds WHERE finished_at IS NULL")
        return left == 0 and self.system.waiting("payments") + self.system.unacknowledged == 0


FLOWS: Final[tuple[type[Flow], ...]] = (Refund, RefundRefused, RefundOnSchedule)
