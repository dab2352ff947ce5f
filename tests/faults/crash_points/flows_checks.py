"""The life of a check, as its people see it."""

from typing import ClassVar, Final

from tests.faults.crash_points.flow import Flow

_OPEN: Final = "SELECT count(*) FROM outbox WHERE closed_at IS NULL"


class Create(Flow):
    """Somebody writes a check, and somebody else can use it."""

    name = "create"
    balances: ClassVar = {"anna": 70_000, "boris": 30_000}
    least: ClassVar = {"gateway http": 1, "checks commit": 2, "checks http": 1, "balance commit": 1}

    def prepare(self) -> None:
        self.top_up("anna", 100_000)

    def act(self) -> None:
        self.ask(self.people.wants("anna", "/fastcheck", {"amount": 30_000}, key="create-1"))

    def finish(self) -> None:
        self.people.get("boris", "/fastcheck/accept", {"fastcheck": self.yes["fastcheck"], "code": self.yes["code"]})


class CreateRefused(Flow):
    """Somebody writes a check for more than he has: nothing is held, and nothing is left of it."""

    name = "create, refused"
    balances: ClassVar = {"anna": 10_000, "boris": 0}
    least: ClassVar = {"gateway http": 1, "checks commit": 2, "checks http": 1, "balance commit": 1}

    def prepare(self) -> None:
        self.top_up("anna", 10_000)

    def act(self) -> None:
        self.ask(self.people.wants("anna", "/fastcheck", {"amount": 30_000}, key="create-1"))

    def finish(self) -> None:
        answers = {(told.status, told.body["code"]) for told in self.request.told} if self.request else set()
        assert answers == {(409, "insufficient_funds")}, answers
        active = self.people.get("anna", "/fastcheck/active", method="GET")["checks"]
        assert active == [], active


class FinishPending(Flow):
    """Balance was down when a check was written; the schedule asks again."""

    name = "settle a pending check"
    balances: ClassVar = {"anna": 70_000, "boris": 0}
    least: ClassVar = {
        "checks-scheduler publish": 1,
        "checks-worker commit": 2,
        "checks-worker http": 1,
        "balance commit": 1,
    }

    def prepare(self) -> None:
        self.top_up("anna", 100_000)
        self.system.stop("balance")
        request = self.people.wants("anna", "/fastcheck", {"amount": 30_000}, key="create-1")
        assert request.ask() is None
        self.system.revive()

    def act(self) -> None:
        self.system.start("checks-worker")
        self.system.start("checks-scheduler", "checks.finish_pending_checks")

    def is_done(self) -> bool:
        pending = self.system.value("checks", "SELECT count(*) FROM checks WHERE status = 'pending'")
        return pending == 0 and self.system.waiting("checks") + self.system.unacknowledged == 0


class Accept(Flow):
    """Whoever enters number and code has the money."""

    name = "accept"
    balances: ClassVar = {"anna": 70_000, "boris": 30_000}
    least: ClassVar = {"gateway http": 1, "checks commit": 2, "checks http": 1, "balance commit": 1}

    def prepare(self) -> None:
        self.top_up("anna", 100_000)
        self.check = self.write_check("anna", 30_000)

    def act(self) -> None:
        self.ask(self.people.wants("boris", "/fastcheck/accept", self.check, key="accept-1"))

    def is_done(self) -> bool:
        return bool(self.system.value("checks", _OPEN) == 0)


class Cancel(Accept):
    """The creator takes it back."""

    name = "cancel"
    balances: ClassVar = {"anna": 100_000, "boris": 0}

    def act(self) -> None:
        self.ask(self.people.wants("anna", f"/fastcheck/{self.check['fastcheck']}/cancel", key="cancel-1"))


class ChangeCode(Accept):
    """The creator has a new code made: the old one is dead, and the new one opens the check."""

    name = "new code"
    least: ClassVar = {"gateway http": 1, "checks commit": 1}

    def act(self) -> None:
        self.ask(self.people.wants("anna", f"/fastcheck/{self.check['fastcheck']}/code", key="code-1"))

    def finish(self) -> None:
        old = self.people.wants("boris", "/fastcheck/accept", self.check, key="accept-old").ask()
        assert old is not None
        assert old.status == 404, f"the old code was answered {old}"
        self.people.get("boris", "/fastcheck/accept", {**self.check, "code": self.yes["code"]})


class Expire(Flow):
    """Nobody came in time. The scheduler says so, the worker of checks ends it."""

    name = "expire"
    balances: ClassVar = {"anna": 100_000, "boris": 0}
    least: ClassVar = {"checks-scheduler publish": 1, "checks-worker commit": 1, "checks-worker broker ack": 1}

    def prepare(self) -> None:
        self.top_up("anna", 100_000)
        self.write_check("anna", 20_000, expiresIn=60)
        self.write_check("anna", 10_000, expiresIn=60)

    def arrange(self) -> None:
        self.system.leap(61)

    def act(self) -> None:
        self.system.start("checks-worker")
        self.system.start("checks-scheduler", "checks.expire_due_checks")

    def is_done(self) -> bool:
        left = self.system.value("checks", "SELECT count(*) FROM checks WHERE status = 'active'")
        return left == 0 and self.system.waiting("checks") + self.system.unacknowledged == 0


FLOWS: Final[tuple[type[Flow], ...]] = (Create, CreateRefused, FinishPending, Accept, Cancel, ChangeCode, Expire)
