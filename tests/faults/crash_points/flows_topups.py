"""Flows of a top-up: opened, paid and confirmed in three ways, never paid, or without a page."""

from typing import ClassVar, Final

from tests.faults.crash_points.control import Mode, Side
from tests.faults.crash_points.flow import RETURN_PATH, Flow
from tests.faults.crash_points.settling import settle

_STATUS: Final = "SELECT status FROM topups"


class TopUp(Flow):
    """A user opens a top-up and pays at its page."""

    name = "top-up"
    balances: ClassVar = {"anna": 100_000, "boris": 0}
    minimum_points: ClassVar = {"gateway http": 1, "payments commit": 2, "payments http": 1, "bank commit": 1}

    def act(self) -> None:
        wanted = {"amount": 100_000, "returnUrl": self.system.urls["gateway"] + RETURN_PATH}
        self.ask(self.users.request_of("anna", "/topup", wanted, key="topup-1"))

    def finish(self) -> None:
        self.users.pay(self.response_body["paymentUrl"])
        settle(self.system)


class Paid(Flow):
    """A payment that is paid at the bank and not confirmed here."""

    balances: ClassVar = {"anna": 100_000, "boris": 0}

    def prepare(self) -> None:
        self.transaction = self.top_up("anna", 100_000, settled=False)

    def is_done(self) -> bool:
        return bool(self.system.value("payments", _STATUS) == "confirmed")


class Notification(Paid):
    """The bank sends its notification."""

    name = "payment notification"
    minimum_points: ClassVar = {"bank-sender commit": 2, "bank-sender http": 2, "gateway http": 2, "payments commit": 2}

    def act(self) -> None:
        self.system.start("bank-sender")

    def is_done(self) -> bool:
        return super().is_done() and self.system.status_of("bank-sender", within=0) == 0


class Poll(Paid):
    """No notification arrives: the schedule polls the bank."""

    name = "polling the bank"
    minimum_points: ClassVar = {"payments-scheduler publish": 1, "payments-worker commit": 3, "payments-worker http": 1}

    def arrange(self) -> None:
        self.system.set_clock_ahead(20)

    def act(self) -> None:
        self.system.start("payments-worker")
        self.system.start("payments-scheduler", "payments.poll_topups")

    def is_done(self) -> bool:
        waiting = self.system.waiting("payments") + self.system.unacknowledged
        return super().is_done() and waiting == 0


class Return(Paid):
    """The browser returns before the notification arrives."""

    name = "browser's return"
    minimum_points: ClassVar = {"gateway http": 1, "payments commit": 2, "payments http": 1, "bank commit": 1}

    def act(self) -> None:
        request = self.users.request_of("anna", f"/topup/{self.transaction}/return", method="GET")
        request.ask()


class NeverPaid(Poll):
    """The top-up is not paid and expires."""

    name = "top-up that is never paid"
    balances: ClassVar = {"anna": 0, "boris": 0}
    minimum_points: ClassVar = {"payments-scheduler publish": 1, "payments-worker commit": 2, "payments-worker http": 1}

    def prepare(self) -> None:
        wanted = {"amount": 100_000, "returnUrl": self.system.urls["gateway"] + RETURN_PATH}
        self.users.get("anna", "/topup", wanted)

    def arrange(self) -> None:
        self.system.set_clock_ahead(3_700)

    def is_done(self) -> bool:
        waiting = self.system.waiting("payments") + self.system.unacknowledged
        return bool(self.system.value("payments", _STATUS) == "expired") and waiting == 0

    def finish(self) -> None:
        # A process that died held a lease, and the delay to the next poll grows to hours.
        self.system.set_clock_ahead(self.system.clock_ahead + 7 * 3_600)
        settle(self.system)


class NeverOpened(NeverPaid):
    """The bank has created a payment; payments died before it stored the page, and the user did not repeat."""

    name = "top-up without a page"
    minimum_points: ClassVar = {
        "payments-scheduler publish": 1,
        "payments-worker commit": 4,
        "payments-worker http": 2,
        "bank commit": 2,
    }

    def prepare(self) -> None:
        wanted = {"amount": 100_000, "returnUrl": self.system.urls["gateway"] + RETURN_PATH}
        # The first two points of payments are its first commit and its call to the bank.
        self.system.arm(Mode.KILL, "payments", 2, Side.AFTER)
        self.users.request_of("anna", "/topup", wanted, key="topup-1").ask()
        self.system.disarm()
        self.system.restart_dead()
        made = self.system.value("sandbox_bank", "SELECT count(*) FROM payments WHERE state = 'NEW'")
        pages = self.system.value("payments", "SELECT count(*) FROM attempts WHERE payment_url IS NOT NULL")
        assert (made, pages) == (1, 0), "the bank has the payment, and payments has no page"


FLOWS: Final[tuple[type[Flow], ...]] = (TopUp, Notification, Poll, Return, NeverPaid, NeverOpened)
