"""The life of a top-up: begun by its user, paid at the bank, learned of in three ways, never paid, never opened."""

from typing import ClassVar, Final

from tests.faults.crash_points.control import Mode, Side
from tests.faults.crash_points.flow import RETURN_PATH, Flow
from tests.faults.crash_points.settling import settle

_STATUS: Final = "SELECT status FROM topups"


class TopUp(Flow):
    """Somebody begins a top-up; the page that he is told is good, and what he pays there is his."""

    name = "top-up"
    balances: ClassVar = {"anna": 100_000, "boris": 0}
    least: ClassVar = {"gateway http": 1, "payments commit": 2, "payments http": 1, "bank commit": 1}

    def act(self) -> None:
        wanted = {"amount": 100_000, "returnUrl": self.system.urls["gateway"] + RETURN_PATH}
        self.ask(self.people.wants("anna", "/topup", wanted, key="topup-1"))

    def finish(self) -> None:
        self.people.pay(self.yes["paymentUrl"])
        settle(self.system)


class Paid(Flow):
    """Paid, and nobody here knows it yet."""

    balances: ClassVar = {"anna": 100_000, "boris": 0}

    def prepare(self) -> None:
        self.transaction = self.top_up("anna", 100_000, settled=False)

    def is_done(self) -> bool:
        return bool(self.system.value("payments", _STATUS) == "confirmed")


class Notification(Paid):
    """The bank's notification comes."""

    name = "payment notification"
    least: ClassVar = {"bank-sender commit": 2, "bank-sender http": 2, "gateway http": 2, "payments commit": 2}

    def act(self) -> None:
        self.system.start("bank-sender")

    def is_done(self) -> bool:
        return super().is_done() and self.system.status_of("bank-sender", within=0) == 0


class Poll(Paid):
    """No notification comes: the bank is asked by the schedule."""

    name = "polling the bank"
    least: ClassVar = {"payments-scheduler publish": 1, "payments-worker commit": 3, "payments-worker http": 1}

    def arrange(self) -> None:
        self.system.leap(20)

    def act(self) -> None:
        self.system.start("payments-worker")
        self.system.start("payments-scheduler", "payments.poll_topups")

    def is_done(self) -> bool:
        waiting = self.system.waiting("payments") + self.system.unacknowledged
        return super().is_done() and waiting == 0


class Return(Paid):
    """The browser comes back from the bank before the notification does."""

    name = "browser's return"
    least: ClassVar = {"gateway http": 1, "payments commit": 2, "payments http": 1, "bank commit": 1}

    def act(self) -> None:
        request = self.people.wants("anna", f"/topup/{self.transaction}/return", method="GET")
        request.ask()


class NeverPaid(Poll):
    """Nobody pays; its time is over."""

    name = "top-up that nobody pays"
    balances: ClassVar = {"anna": 0, "boris": 0}
    least: ClassVar = {"payments-scheduler publish": 1, "payments-worker commit": 2, "payments-worker http": 1}

    def prepare(self) -> None:
        wanted = {"amount": 100_000, "returnUrl": self.system.urls["gateway"] + RETURN_PATH}
        self.people.get("anna", "/topup", wanted)

    def arrange(self) -> None:
        self.system.leap(3_700)

    def is_done(self) -> bool:
        waiting = self.system.waiting("payments") + self.system.unacknowledged
        return bool(self.system.value("payments", _STATUS) == "expired") and waiting == 0

    def finish(self) -> None:
        # Whoever died had a turn, and the next one comes after a pause that grows to hours.
        self.system.leap(self.system.leapt + 7 * 3_600)
        settle(self.system)


class NeverOpened(NeverPaid):
    """The bank has made a payment, we died before we had its page, and nobody came back to ask for it."""

    name = "top-up without a page"
    least: ClassVar = {
        "payments-scheduler publish": 1,
        "payments-worker commit": 4,
        "payments-worker http": 2,
        "bank commit": 2,
    }

    def prepare(self) -> None:
        wanted = {"amount": 100_000, "returnUrl": self.system.urls["gateway"] + RETURN_PATH}
        # The first two points of payments are its first commit and its call to the bank.
        self.system.arm(Mode.KILL, "payments", 2, Side.AFTER)
        self.people.wants("anna", "/topup", wanted, key="topup-1").ask()
        self.system.disarm()
        self.system.revive()
        made = self.system.value("sandbox_bank", "SELECT count(*) FROM payments WHERE state = 'NEW'")
        told = self.system.value("payments", "SELECT count(*) FROM attempts WHERE payment_url IS NOT NULL")
        assert (made, told) == (1, 0), "the bank has it, and we have no page"


FLOWS: Final[tuple[type[Flow], ...]] = (TopUp, Notification, Poll, Return, NeverPaid, NeverOpened)
