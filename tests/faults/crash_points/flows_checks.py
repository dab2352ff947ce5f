"""Flows of a check."""

from typing import ClassVar, Final

from tests.faults.crash_points.flow import Flow

_OPEN: Final = "SELECT count(*) FROM outbox WHERE closed_at IS NULL"


class Create(Flow):
    """A user creates a check, and another user accepts it."""

    name = "create"
    balances: ClassVar = {"anna": 70_000, "boris": 30_000}
    minimum_points: ClassVar = {"gateway http": 1, "checks commit": 2, "checks http": 1, "balance commit": 1}

    def prepare(self) -> None:
        self.top_up("anna", 100_000)

    def act(self) -> None:
        self.ask(self.users.request_of("anna", "/fastcheck", {"amount": 30_000}, key="create-1"))

    def finish(self) -> None:
        self.users.get(
            "boris",
            "/fastcheck/accept",
            {"fastcheck": self.response_body["fastcheck"], "code": self.response_body["code"]},
        )


class CreateRefused(Flow):
    """A user creates a check for more than the balance: nothing is held."""

    name = "create, refused"
    balances: ClassVar = {"anna": 10_000, "boris": 0}
    minimum_points: ClassVar = {"gateway http": 1, "checks commit": 2, "checks http": 1, "balance commit": 1}

    def prepare(self) -> None:
        self.top_up("anna", 10_000)

    def act(self) -> None:
        self.ask(self.users.request_of("anna", "/fastcheck", {"amount": 30_000}, key="create-1"))

    def finish(self) -> None:
        assert self.request is not None
        found = {(response.status, response.code) for response in self.request.final}
        assert found == {(409, "insufficient_funds")}, found
        active = self.users.get("anna", "/fastcheck/active", method="GET")["checks"]
        assert active == [], active


class FinishPending(Flow):
    """Balance was down when a check was created; the schedule retries the hold."""

    name = "settle a pending check"
    balances: ClassVar = {"anna": 70_000, "boris": 0}
    minimum_points: ClassVar = {
        "checks-scheduler publish": 1,
        "checks-worker commit": 2,
        "checks-worker http": 1,
        "balance commit": 1,
    }

    def prepare(self) -> None:
        self.top_up("anna", 100_000)
        self.system.stop("balance")
        request = self.users.request_of("anna", "/fastcheck", {"amount": 30_000}, key="create-1")
        assert request.ask() is None
        self.system.restart_dead()

    def act(self) -> None:
        self.system.start("checks-worker")
        self.system.start("checks-scheduler", "checks.finish_pending_checks")

    def is_done(self) -> bool:
        pending = self.system.value("checks", "SELECT count(*) FROM checks WHERE status = 'pending'")
        return pending == 0 and self.system.waiting("checks") + self.system.unacknowledged == 0


class Accept(Flow):
    """A user accepts a check with its number and code."""

    name = "accept"
    balances: ClassVar = {"anna": 70_000, "boris": 30_000}
    minimum_points: ClassVar = {"gateway http": 1, "checks commit": 2, "checks http": 1, "balance commit": 1}

    def prepare(self) -> None:
        self.top_up("anna", 100_000)
        self.check = self.create_check("anna", 30_000)

    def act(self) -> None:
        self.ask(self.users.request_of("boris", "/fastcheck/accept", self.check, key="accept-1"))

    def is_done(self) -> bool:
        return bool(self.system.value("checks", _OPEN) == 0)


class Cancel(Accept):
    """The creator cancels the check."""

    name = "cancel"
    balances: ClassVar = {"anna": 100_000, "boris": 0}

    def act(self) -> None:
        self.ask(self.users.request_of("anna", f"/fastcheck/{self.check['fastcheck']}/cancel", key="cancel-1"))


class ChangeCode(Accept):
    """The creator changes the code: the old code is invalid, and the new code accepts the check."""

    name = "new code"
    minimum_points: ClassVar = {"gateway http": 1, "checks commit": 1}

    def act(self) -> None:
        self.ask(self.users.request_of("anna", f"/fastcheck/{self.check['fastcheck']}/code", key="code-1"))

    def finish(self) -> None:
        old = self.users.request_of("boris", "/fastcheck/accept", self.check, key="accept-old").ask()
        assert old is not None
        assert old.status == 404, f"the old code was answered {old}"
        self.users.get("boris", "/fastcheck/accept", {**self.check, "code": self.response_body["code"]})


class Expire(Flow):
    """Two checks expire unused, by the scheduled task."""

    name = "expire"
    balances: ClassVar = {"anna": 100_000, "boris": 0}
    minimum_points: ClassVar = {"checks-scheduler publish": 1, "checks-worker commit": 1, "checks-worker broker ack": 1}

    def prepare(self) -> None:
        self.top_up("anna", 100_000)
        self.create_check("anna", 20_000, expiresIn=60)
        self.create_check("anna", 10_000, expiresIn=60)

    def arrange(self) -> None:
        self.system.set_clock_ahead(61)

    def act(self) -> None:
        self.system.start("checks-worker")
        self.system.start("checks-scheduler", "checks.expire_due_checks")

    def is_done(self) -> bool:
        left = self.system.value("checks", "SELECT count(*) FROM checks WHERE status = 'active'")
        return left == 0 and self.system.waiting("checks") + self.system.unacknowledged == 0


FLOWS: Final[tuple[type[Flow], ...]] = (Create, CreateRefused, FinishPending, Accept, Cancel, ChangeCode, Expire)
