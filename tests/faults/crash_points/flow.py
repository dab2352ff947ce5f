"""The base class of flows: initial state, the action during which processes die, and the expected result."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final

from tests.faults.crash_points.settling import settle
from tests.faults.crash_points.system import System, when
from tests.faults.crash_points.users import Request, RequestGroup, Users

RETURN_PATH: Final = "/top-up"


class Flow:
    """One flow, which is run once per death. Amounts are kopecks."""

    name: ClassVar[str]
    #: The balance of each user at the end, after any death.
    balances: ClassVar[Mapping[str, int]]
    #: Minimum number of points by process and kind. A hook that no longer works finds fewer.
    minimum_points: ClassVar[Mapping[str, int]]
    #: Whether the flow completes only after an operator repeats the command.
    needs_an_operator: ClassVar[bool] = False
    #: Processes that another flow kills at the same points.
    spared: ClassVar[frozenset[str]] = frozenset()
    #: Conditions by process.
    changes: ClassVar[Mapping[str, Sequence[str]]] = {}

    def __init__(self, system: System, users: Users) -> None:
        self.system = system
        self.users = users
        #: The client's request in this run, if the flow has one.
        self.request: Request | None = None
        #: The clients' concurrent requests, in a flow that has several.
        self.group: RequestGroup | None = None

    def prepare(self) -> None:
        """Create the state that is restored before each run."""

    def arrange(self) -> None:
        """Set up before each run what a snapshot does not contain, such as the clock."""

    def act(self) -> None:
        """Perform the action under test."""
        raise NotImplementedError

    def is_done(self) -> bool:
        """Return whether all effects have happened, in a run without a death."""
        return True

    def finish(self) -> None:
        """Use what the responses promised, after the system has settled."""

    # -- shared by flows

    def wait(self, condition: Callable[[], object], what: str) -> None:
        when(condition, what)

    @property
    def response_body(self) -> Any:
        """Return the body of the client's successful response."""
        assert self.request is not None
        assert self.request.success, f"the client received no success: {self.request.responses}"
        return self.request.success.body

    @property
    def asked(self) -> Request | RequestGroup | None:
        """Return what the clients have sent in this run."""
        return self.group or self.request

    def ask(self, request: Request) -> None:
        self.request = request
        request.ask()

    def ask_together(self, group: RequestGroup) -> None:
        self.group = group
        group.ask()

    def top_up(self, name: str, amount: int, *, settled: bool = True) -> str:
        """Top up at the bank's page; return the transaction's id."""
        wanted = {"amount": amount, "returnUrl": self.system.urls["gateway"] + RETURN_PATH}
        topup = self.users.get(name, "/topup", wanted)
        self.users.pay(topup["paymentUrl"])
        if settled:
            settle(self.system)
        return str(topup["transactionID"])

    def create_check(self, name: str, amount: int, **more: Any) -> dict[str, str]:
        """Create a check; return its number and code."""
        made = self.users.get(name, "/fastcheck", {"amount": amount, **more})
        return {"fastcheck": made["fastcheck"], "code": made["code"]}
