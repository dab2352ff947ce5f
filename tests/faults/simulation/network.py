"""Packets in flight between processes: requests, responses, and messages of the broker.

The scheduler delivers, duplicates or loses each packet.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import urllib3
from celery import Celery
from kombu.exceptions import OperationalError

from common.http.client.client import HttpResponse, UnknownOutcome
from services.payments.banks.base import BankEnvironment
from services.payments.banks.breaker import CircuitBreaker
from services.payments.banks.http import BankAnswer, BankHttp
from tests.faults.simulation.actors import Scheduler, State, current
from tests.faults.simulation.clock import SimulatedClock


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request in flight. A duplicate has no caller that waits."""

    name: str
    caller: str | None
    to: str
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_of_user(self) -> bool:
        return self.caller is not None and "/" not in self.caller and self.caller.startswith("c")

    def __str__(self) -> str:
        return f"{self.method} {self.target} to {self.to}"


@dataclass(frozen=True, slots=True)
class Answer:
    """The response to a request in flight. ``content`` is None if the connection was lost."""

    name: str
    request: Request
    content: HttpResponse | None

    def __str__(self) -> str:
        status = self.content.status if self.content else "connection lost"
        return f"response of {self.request.to} ({status})"


@dataclass(frozen=True, slots=True)
class Message:
    """A message at the broker, as JSON."""

    name: str
    queue: str
    task: str
    arguments: str

    def __str__(self) -> str:
        return f"{self.task} in {self.queue}"


Packet = Request | Answer | Message


class Network:
    """What is under way. Names come from the senders, so that they do not depend on what else went on."""

    def __init__(self) -> None:
        self.in_flight: dict[str, Packet] = {}
        self.broker_is_up = True
        self._deliveries: dict[str, int] = {}

    def reset(self) -> None:
        self.in_flight.clear()
        self._deliveries.clear()
        self.broker_is_up = True

    def take(self, name: str) -> Packet | None:
        """A letter leaves the network."""
        return self.in_flight.pop(name, None)

    def put(self, packet: Packet) -> None:
        self.in_flight[packet.name] = packet

    def copy(self, name: str) -> bool:
        """A second copy, which arrives on its own account.

        Answers are not copied (a connection gives one), nor requests of users without a key: two of those are two.
        """
        packet = self.in_flight.get(name)
        if packet is None or isinstance(packet, Answer):
            return False
        if isinstance(packet, Request) and packet.is_of_user and "Idempotency-Key" not in packet.headers:
            return False
        again = replace(packet, name=self.numbered(f"{name}~"))
        self.put(replace(again, caller=None) if isinstance(again, Request) else again)
        return True

    def numbered(self, stem: str) -> str:
        """The next name that begins like this."""
        self._deliveries[stem] = self._deliveries.get(stem, 0) + 1
        return f"{stem}{self._deliveries[stem]}"

    def depth(self, queue: str) -> int:
        return sum(isinstance(packet, Message) and packet.queue == queue for packet in self.in_flight.values())

    def wipe_broker(self) -> None:
        """The broker forgets everything that it has."""
        for packet in list(self.in_flight.values()):
            if isinstance(packet, Message):
                del self.in_flight[packet.name]


class Wire:
    """How the code of an actor reaches the network."""

    def __init__(self, network: Network, scheduler: Scheduler) -> None:
        self.network = network
        self.scheduler = scheduler

    def call(
        self, to: str, method: str, target: str, headers: Mapping[str, str], body: bytes | None
    ) -> HttpResponse | None:
        """Ask and wait; None when there is no answer, whatever the other side did."""
        actor = current()
        if actor is None:
            raise RuntimeError("only actors call")
        self.scheduler.gate(f"about to call {to}")
        actor.calls += 1
        name = f"{actor.name}/{actor.calls}"
        self.network.put(Request(name, actor.name, to, method, target, dict(headers), body or b""))
        actor.waits_for = name
        self.scheduler.gate(f"waits for {to}", State.WAITING)
        answer: HttpResponse | None = actor.answer
        return answer

    def publish(self, task: str, arguments: list[Any], queue: str) -> None:
        """Give the broker a message; raises OperationalError while it is away."""
        actor = current()
        if actor is None:
            raise RuntimeError("only actors publish")
        self.scheduler.gate(f"about to publish to {queue}")
        if not self.network.broker_is_up:
            raise OperationalError("the simulated broker is away")
        actor.calls += 1
        self.network.put(Message(f"{actor.name}/{actor.calls}", queue, task, json.dumps(arguments)))
        self.scheduler.gate(f"has published to {queue}")


class SimulatedHttp:
    """In the place of ``common.http.client.client.HttpClient``."""

    def __init__(self, wire: Callable[[], Wire], to: str) -> None:
        self._wire = wire
        self._to = to

    def request(
        self, method: str, target: str, *, headers: Mapping[str, str], body: bytes | None = None
    ) -> HttpResponse:
        answer = self._wire().call(self._to, method, target, headers, body)
        if answer is None:
            raise UnknownOutcome
        return answer


class SimulatedBankHttp(BankHttp):
    """The bank adapters' way out, with everything of it but the connection."""

    def __init__(self, wire: Callable[[], Wire], clock: SimulatedClock) -> None:
        environment = BankEnvironment()
        super().__init__("tbank", "http://bank.simulated/v2", environment)
        self._wire = wire
        self.breaker = CircuitBreaker(
            failures=environment.bank_breaker_failures, seconds=environment.bank_breaker_seconds, clock=clock.seconds
        )

    def _exchange(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> BankAnswer:
        answer = self._wire().call("bank", method, path, headers, body)
        if answer is None:
            raise urllib3.exceptions.ProtocolError("no answer")
        return BankAnswer(answer.status, answer.body)


class SimulatedCelery(Celery):  # type: ignore[misc]  # it has no types
    """A Celery application whose broker is the network: a task that is sent runs when the scheduler delivers it."""

    def __init__(self, wire: Callable[[], Wire]) -> None:
        super().__init__("simulated", broker="memory://", set_as_current=False)
        self._wire = wire

    def send_task(self, name: str, *, args: list[Any], queue: str, **_options: Any) -> None:
        self._wire().publish(name, args, queue)

    @property
    def pool(self) -> "_BrokerPool":
        return _BrokerPool(self._wire)


class _BrokerPool:
    """Tells the relay how full the queues are, in the shape in which kombu does."""

    channel_errors: Final = (LookupError,)

    def __init__(self, wire: Callable[[], Wire]) -> None:
        self._wire = wire
        self.default_channel = self

    @contextmanager
    def acquire(self, *, block: bool, timeout: float) -> Any:  # noqa: ARG002  as kombu has it
        if not self._wire().network.broker_is_up:
            raise OperationalError("the simulated broker is away")
        yield self

    def prepare_queue_arguments(self, arguments: Any, **_options: Any) -> Any:
        return arguments

    def queue_declare(self, *, queue: str, **_options: Any) -> "_Declared":
        return _Declared(self._wire().network.depth(queue))


@dataclass(frozen=True, slots=True)
class _Declared:
    message_count: int
