"""Group commit: concurrent requests of one process share statements, commits and calls.

A request that arrives while few are in flight runs alone, as if there were no groups. Under load, the requests of one
use case wait in a queue. One of their threads, the *leader*, takes what waits and runs all of it at once; the others
wait for their own outcomes. A leader runs one group. It then hands its seat to the first request in the queue.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from threading import BoundedSemaphore, Event, Lock
from time import monotonic
from typing import Any, Final, Generic, TypeVar

from prometheus_client import Histogram

from common.core.errors import ServiceUnavailable

Item = TypeVar("Item")
Value = TypeVar("Value")

#: Maximum number of requests in a group.
GROUP_SIZE: Final = 64
#: Requests in flight up to which each runs alone: a group would only make it wait for the group before.
UNGROUPED: Final = 4
#: Requests of one use case that run alone at the same time. Two use cases and their leaders fit into a pool of 16.
ALONE_AT_ONCE: Final = 6
#: Maximum wait of a request for its outcome; then the caller gets a 503, before the gateway gives up after 5 seconds.
WAIT_SECONDS: Final = 4.5

GROUP_REQUESTS: Final = Histogram(
    "fastcheck_group_requests",
    "Requests that a leader ran together, by use case; requests that ran alone at low load are not counted",
    ("use_case",),
    buckets=(1, 2, 4, 8, 16, 32, 64),
)


class Alone(Enum):
    """The outcome of an item that its own thread must run, because it needs more than the statements of a group."""

    ALONE = "alone"


ALONE: Final = Alone.ALONE


class NotRun(ServiceUnavailable):
    """The request waited too long to be started. Nothing was done."""

    message = "the service is busy: the request was not started, try again in a moment"


class OutcomeUnknown(ServiceUnavailable):
    """The leader has not returned an outcome. The group may have taken effect; the caller may repeat with its key."""

    message = "the service did not finish the request in time: repeat it with the same Idempotency-Key"


class _Ticket(Generic[Item, Value]):
    """One request in the queue."""

    __slots__ = ("item", "leads", "outcome", "woken")

    def __init__(self, item: Item) -> None:
        self.item = item
        #: Set when there is an outcome, or when the request is to lead.
        self.woken = Event()
        self.leads = False
        self.outcome: Value | Exception | Alone = OutcomeUnknown()


class GroupRunner(Generic[Item, Value]):
    """Runs the requests of one use case in one process. Safe to share between threads."""

    def __init__(
        self,
        use_case: str,
        *,
        enabled: bool = True,
        size: int = GROUP_SIZE,
        ungrouped: int = UNGROUPED,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        """``use_case`` is a label of the metric. If not ``enabled``, every request runs alone, without any limit."""
        self._enabled = enabled
        self._size = size
        self._ungrouped = ungrouped
        self._wait_seconds = wait_seconds
        self._sizes = GROUP_REQUESTS.labels(use_case)
        #: Protects the queue, the seat and the count. Never held while a request runs.
        self._lock = Lock()
        self._queue: deque[_Ticket[Item, Value]] = deque()
        self._is_led = False
        self._in_flight = 0
        self._alone = BoundedSemaphore(ALONE_AT_ONCE)

    def submit(
        self,
        item: Item,
        run_many: Callable[[Sequence[Item]], Sequence[Value | Exception | Alone]],
        run_alone: Callable[[], Value],
    ) -> Value:
        """Return the value of the item, run in a group or alone; raise its exception.

        ``run_many`` returns, for each item, a value, an exception or ALONE. It may raise only if no item may be run
        again; every request of the group then gets that exception. ``run_alone`` runs this item in this thread. All
        callers of one runner pass functions that do the same. Raises NotRun and OutcomeUnknown.
        """
        if not self._enabled:
            return run_alone()
        deadline = monotonic() + self._wait_seconds
        with self._lock:
            self._in_flight += 1
            ticket = None
            if self._queue or self._in_flight > self._ungrouped:
                ticket = _Ticket[Item, Value](item)
                self._queue.append(ticket)
                if not self._is_led:
                    self._is_led = ticket.leads = True
        try:
            outcome = ALONE if ticket is None else self._outcome_of(ticket, run_many, run_alone)
            if outcome is ALONE:
                with self._slot(deadline):
                    return run_alone()
            if isinstance(outcome, Exception):
                raise outcome
            return outcome
        finally:
            with self._lock:
                self._in_flight -= 1

    def _outcome_of(
        self, ticket: _Ticket[Item, Value], run_many: Callable[[Sequence[Item]], Any], run_alone: Callable[[], Value]
    ) -> Value | Exception | Alone:
        if not ticket.leads and not ticket.woken.wait(self._wait_seconds):
            self._give_up(ticket)
        if ticket.leads:
            self._lead(ticket, run_many, run_alone)
        return ticket.outcome

    def _give_up(self, ticket: _Ticket[Item, Value]) -> None:
        """Leave the queue after a time-out, unless the request has got the seat or its outcome meanwhile."""
        with self._lock:
            if ticket.woken.is_set() or ticket.leads:
                return
            if ticket in self._queue:
                self._queue.remove(ticket)
                raise NotRun
        raise OutcomeUnknown

    def _lead(
        self, own: _Ticket[Item, Value], run_many: Callable[[Sequence[Item]], Any], run_alone: Callable[[], Value]
    ) -> None:
        with self._lock:
            group = [self._queue.popleft() for _ in range(min(self._size, len(self._queue)))]
        try:
            self._sizes.observe(len(group))
            outcomes = self._run(group, run_many, run_alone)
            for ticket, outcome in zip(group, outcomes, strict=True):
                ticket.outcome = outcome
        finally:
            # Also when the thread ends: otherwise all later requests would wait for a leader that does not exist.
            self._hand_over()
            for ticket in group:
                if ticket is not own:
                    ticket.woken.set()

    def _run(
        self,
        group: Sequence[_Ticket[Item, Value]],
        run_many: Callable[[Sequence[Item]], Sequence[Value | Exception | Alone]],
        run_alone: Callable[[], Value],
    ) -> Sequence[Value | Exception | Alone]:
        try:
            if len(group) == 1:
                # The leader keeps the seat meanwhile, so that those who come next become a group.
                return [run_alone()]
            return run_many([ticket.item for ticket in group])
        except Exception as error:  # noqa: BLE001  every request of the group raises it
            return [error] * len(group)

    def _hand_over(self) -> None:
        """Give the seat to the request that has waited longest, before the others of this group are woken."""
        with self._lock:
            heir = self._queue[0] if self._queue else None
            self._is_led = heir is not None
            if heir is not None:
                heir.leads = True
                heir.woken.set()

    @contextmanager
    def _slot(self, deadline: float) -> Iterator[None]:
        """Bound how many requests run alone: more threads than connections would exhaust the pool."""
        if not self._alone.acquire(timeout=max(deadline - monotonic(), 0)):
            raise NotRun
        try:
            yield
        finally:
            self._alone.release()
