"""Flows of concurrent requests that checks runs as one group.

The gateway is spared: it passes the same points as with a single request, once per request.
"""

from typing import ClassVar, Final

from tests.faults.crash_points.flow import Flow
from tests.faults.crash_points.users import RequestGroup

_OPEN: Final = "SELECT count(*) FROM outbox WHERE closed_at IS NULL"
_FUNDS: Final = 100_000
_AMOUNT: Final = 1_000


class _CreateGroup(Flow):
    """A user creates several checks at once, and another user accepts them at once."""

    size: ClassVar[int]
    minimum_points: ClassVar = {"checks commit": 2, "checks http": 1, "balance commit": 1}
    spared: ClassVar = frozenset({"gateway"})

    def prepare(self) -> None:
        self.top_up("anna", _FUNDS)

    def creations(self) -> RequestGroup:
        body = {"amount": _AMOUNT}
        return RequestGroup(
            [
                self.users.request_of("anna", "/fastcheck", body, key=f"create-{number:02d}")
                for number in range(self.size)
            ]
        )

    def acceptances(self, created: RequestGroup) -> RequestGroup:
        checks = [{"fastcheck": body["fastcheck"], "code": body["code"]} for body in created.bodies]
        return RequestGroup(
            [
                self.users.request_of("boris", "/fastcheck/accept", check, key=f"accept-{number:02d}")
                for number, check in enumerate(checks)
            ]
        )

    def act(self) -> None:
        self.ask_together(self.creations())

    def finish(self) -> None:
        assert self.group is not None
        self._send(self.acceptances(self.group))

    def _send(self, group: RequestGroup) -> None:
        assert group.send_until_final(self.system)
        assert all(request.success for request in group.requests), group


class _AcceptGroup(_CreateGroup):
    """A user accepts several checks at once."""

    def prepare(self) -> None:
        super().prepare()
        created = self.creations()
        self._send(created)
        self.created = created

    def act(self) -> None:
        self.ask_together(self.acceptances(self.created))

    def is_done(self) -> bool:
        return bool(self.system.value("checks", _OPEN) == 0)

    def finish(self) -> None:
        """The money is on the acceptor's balance."""


class CreateTwo(_CreateGroup):
    name = "create, a group of 2"
    size = 2
    balances: ClassVar = {"anna": _FUNDS - 2 * _AMOUNT, "boris": 2 * _AMOUNT}
    changes: ClassVar = {"checks": ("groups of 2",)}


class CreateSeventeen(_CreateGroup):
    name = "create, a group of 17"
    size = 17
    balances: ClassVar = {"anna": _FUNDS - 17 * _AMOUNT, "boris": 17 * _AMOUNT}
    changes: ClassVar = {"checks": ("groups of 17",)}


class AcceptTwo(_AcceptGroup):
    name = "accept, a group of 2"
    size = 2
    balances: ClassVar = {"anna": _FUNDS - 2 * _AMOUNT, "boris": 2 * _AMOUNT}
    changes: ClassVar = {"checks": ("groups of 2",)}


class AcceptSeventeen(_AcceptGroup):
    name = "accept, a group of 17"
    size = 17
    balances: ClassVar = {"anna": _FUNDS - 17 * _AMOUNT, "boris": 17 * _AMOUNT}
    changes: ClassVar = {"checks": ("groups of 17",)}


FLOWS: Final[tuple[type[Flow], ...]] = (CreateTwo, CreateSeventeen, AcceptTwo, AcceptSeventeen)
