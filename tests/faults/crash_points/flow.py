"""What a flow is: how it begins, what is done while points are counted or deadly, and how it must end."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final

from tests.faults.crash_points.people import People, Request
from tests.faults.crash_points.settling import settle
from tests.faults.crash_points.system import System, when

RETURN_PATH: Final = "/top-up"


class Flow:
    """One flow, walked again and again. Amounts are kopecks."""

    name: ClassVar[str]
    #: What everybody has at the end, whatever has died.
    balances: ClassVar[Mapping[str, int]]
    #: So many points of a kind belong to a process at the least: fewer are found where a hook is not hit any more.
    least: ClassVar[Mapping[str, int]]
    #: A person repeats what he does until he is told that it is done: only then all must come to rest.
    waits_for_a_person: ClassVar[bool] = False
    #: What is otherwise than usual, by process.
    changes: ClassVar[Mapping[str, Sequence[str]]] = {}

    def __init__(self, system: System, people: People) -> None:
        self.system = system
        self.people = people
        #: What the client of this run asks for, if there is one.
        self.request: Request | None = None

    def prepare(self) -> None:
        """Once: the moment to which the databases come back before each run."""

    def arrange(self) -> None:
        """Before each run: what databases do not keep, as messages at the broker."""

    def act(self) -> None:
        """The flow itself."""
        raise NotImplementedError

    def is_done(self) -> bool:
        """Whether all of it has happened, also what nobody waits for; asked where nobody dies."""
        return True

    def finish(self) -> None:
        """When all is quiet again: use what was promised, so that a promise is more than words."""

    # -- what many flows need

    def wait(self, look: Callable[[], object], what: str) -> None:
        when(look, what)

    @property
    def yes(self) -> Any:
        """What the client was told."""
        assert self.request is not None
        assert self.request.told, "the client was never told anything"
        assert self.request.told[0].is_yes, self.request.told
        return self.request.told[0].body

    def ask(self, request: Request) -> None:
        self.request = request
        request.ask()

    def top_up(self, name: str, amount: int, *, settled: bool = True) -> str:
        """Paid at the bank's page; returns the transaction's id."""
        wanted = {"amount": amount, "returnUrl": self.system.urls["gateway"] + RETURN_PATH}
        topup = self.people.get(name, "/topup", wanted)
        self.people.pay(topup["paymentUrl"])
        if settled:
            settle(self.system)
        return str(topup["transactionID"])

    def write_check(self, name: str, amount: int, **more: Any) -> dict[str, str]:
        """Number and code, as one enters them."""
        made = self.people.get(name, "/fastcheck", {"amount": amount, **more})
        return {"fastcheck": made["fastcheck"], "code": made["code"]}
