"""Chance, from a seed: which move is made next.

Each seed has its own mixture of faults (some have none of a kind, some have much of it): that finds more than the
same mixture every time.
"""

from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from random import Random
from typing import Final

from tests.faults.record import Response
from tests.faults.responses import REPORTED_STATUS
from tests.faults.simulation.actors import Actor, State
from tests.faults.simulation.clients import NAMES, Spec
from tests.faults.simulation.failures import FAILURES, GATES
from tests.faults.simulation.moves import ALL_GATES, Move
from tests.faults.simulation.network import Answer, Message, Packet, Request
from tests.faults.simulation.quiescence import quiescing_moves
from tests.faults.simulation.system import SimulatedSystem

MOVES: Final = 150
MAX_SPECS: Final = 30
MAX_ACTORS: Final = 14
MAX_PACKETS: Final = 25
FIRST_TOPUP: Final = 90_000
#: Longest wait to the expiration of a check, in seconds. Checks with a longer lifetime stay active.
FAR_AHEAD_SECONDS: Final = 300

#: Relative frequency of each kind of spec.
_KINDS: Final = {"create": 5, "accept": 7, "cancel": 3, "code": 2, "topup": 3, "again": 3, "balance": 1}
#: Greatest weight of each fault. An actor that runs weighs 10, and a packet that arrives 8.
_FAULTS: Final = {
    "copy": 4.0,
    "lose": 2.0,
    "time_out": 2.0,
    "crash": 1.0,
    "fail": 3.0,
    "give_up": 2.0,
    "wipe": 1.0,
    "broker": 0.3,
}
_TICKS: Final = {
    "relay-checks": 5,
    "relay-payments": 3,
    "expire": 4,
    "finish": 3,
    "poll": 2,
    "flush": 3,
    "forget": 1,
}


class Generator:
    """Chooses random moves that fit the state of the system."""

    def __init__(self, system: SimulatedSystem, seed: int) -> None:
        self._system = system
        self._random = Random(f"moves/{seed}")
        self._fault = {name: self._random.choice((0.0, 0.3, 1.0)) * most for name, most in _FAULTS.items()}
        #: Share of moves in which an actor runs one to three gates instead of all.
        self._fine = self._random.choice((0.1, 0.5, 0.9))
        self._numbers = {"c": 0, "n": 0}
        self._creators: dict[str, str] = {}
        self._topups: list[str] = []
        self._planned: deque[Move] = deque()

    def moves(self) -> Iterator[Move]:
        """The moves of the seed. Each must be made before the next is asked for."""
        yield from self._beginning()
        for _ in range(MOVES):
            if not self._planned:
                self._planned.extend(self._next())
            yield self._planned.popleft()

    def _beginning(self) -> Iterator[Move]:
        """Two of the users get money and write a check, without a fault: something to play for."""
        topups = [self._ask(Spec("topup", user, FIRST_TOPUP + number)) for number, user in enumerate(NAMES[:2])]
        yield from topups
        yield from quiescing_moves(self._system)
        for topup in topups:
            yield Move("pay", topup.subject)
        yield from quiescing_moves(self._system)
        yield self._tick("relay-payments")
        yield from quiescing_moves(self._system)
        yield self._ask(self._spec("create"))
        yield from quiescing_moves(self._system)

    def _next(self) -> list[Move]:
        random, system, fault = self._random, self._system, self._fault
        ready = list(system.in_state(State.READY))
        at_database = [actor for actor in ready if actor.at in GATES]
        waiting = list(system.in_state(State.WAITING))
        blocked = list(system.in_state(State.BLOCKED))
        packets = sorted(system.network.in_flight)
        copied = [name for name in packets if not isinstance(system.network.in_flight[name], Answer)]
        messages = [name for name in packets if isinstance(system.network.in_flight[name], Message)]
        events = [name for name in messages if self._is_of_events(system.network.in_flight[name])]
        calls = [name for name in packets if self._is_call(system.network.in_flight[name])]
        idle = len(system.scheduler.actors) < MAX_ACTORS and len(packets) < MAX_PACKETS
        may_ask = idle and self._numbers["c"] < MAX_SPECS
        broker_is_up = system.network.broker_is_up
        weights: list[tuple[float, Callable[[], list[Move]]]] = [
            (10.0 * bool(ready), lambda: [Move("run", random.choice(ready).name, self._gates())]),
            (8.0 * bool(packets), lambda: [Move("deliver", random.choice(packets))]),
            (5.0 * may_ask, self._user_request),
            (2.5 * (may_ask and bool(self._open_checks())), self._concurrent_requests),
            (1.5 * (may_ask and bool(self._open_checks())), self._race_at_expiration),
            (3.5 * idle, self._scheduled),
            (1.5 * (idle and bool(self._topups)), self._at_the_bank),
            (0.7, self._time),
            (fault["copy"] * (idle and bool(copied)), lambda: [Move("copy", random.choice(copied))]),
            (fault["lose"] * bool(packets), lambda: [Move("lose", random.choice(packets))]),
            (fault["time_out"] * bool(waiting), lambda: [Move("time_out", random.choice(waiting).name)]),
            (fault["give_up"] * bool(blocked), lambda: [Move("give_up", random.choice(blocked).name)]),
            (
                fault["fail"] * bool(at_database),
                lambda: [Move("fail", self._at_risk(at_database).name, detail=random.choice(FAILURES))],
            ),
            (fault["crash"] * bool(ready), lambda: [Move("crash", self._at_risk(ready).process)]),
            ((fault["fail"] + fault["crash"]) * bool(events), lambda: self._fail_consumer(random.choice(events))),
            (
                0.5 * (fault["lose"] + fault["time_out"]) * bool(calls),
                lambda: self._cut_connection(random.choice(calls)),
            ),
            (fault["wipe"] * bool(messages), lambda: [Move("wipe_broker")]),
            (fault["broker"] if broker_is_up else 1.0, lambda: [Move("broker_down" if broker_is_up else "broker_up")]),
        ]
        choice = random.choices([make for _, make in weights], [weight for weight, _ in weights])[0]
        return choice()

    def _gates(self) -> int:
        return self._random.randint(1, 3) if self._random.random() < self._fine else ALL_GATES

    def _user_request(self) -> list[Move]:
        """Make a request of a user, often without faults."""
        kind = self._weighted(_KINDS)
        if kind in ("accept", "cancel", "code") and not self._open_checks() and self._random.random() < 0.8:
            kind = "create"
        ask = self._ask(self._spec(kind))
        return [ask, Move("go", ask.subject)] if self._random.random() < 0.4 else [ask]

    def _concurrent_requests(self) -> list[Move]:
        """Make concurrent requests for one check, often at the instant of its expiration."""
        of = self._random.choice(self._open_checks())
        kinds = [self._random.choice(("accept", "accept", "accept", "cancel", "code")) for _ in range(3)]
        asks = [self._ask(self._spec(kind, of)) for kind in kinds]
        moves: list[Move] = []
        if self._random.random() < 0.5:
            moves.append(self._tick("expire"))
            # The sweep may run before or after the requests.
            seconds = self._seconds_to_an_end(only=of)
            if seconds:
                moves.append(Move("wait", number=seconds))
        for ask in asks:
            moves += [ask, Move("run", ask.subject, ALL_GATES), Move("deliver", f"{ask.subject}/1")]
        return moves

    def _race_at_expiration(self) -> list[Move]:
        """Let a check expire while a request locks it, beside the sweep or another request."""
        of = self._random.choice(self._open_checks())
        seconds = self._seconds_to_an_end(only=of)
        ask = self._ask(self._spec(self._random.choice(("accept", "accept", "cancel", "code")), of))
        request = f"{ask.subject}/1"
        moves = [
            ask,
            Move("run", ask.subject, ALL_GATES),
            Move("deliver", request),
            Move("run", f"{request}!1", self._random.randint(1, 3)),
            *([Move("wait", number=seconds)] if seconds else []),
        ]
        if self._random.random() < 0.5:
            sweep = self._tick("expire")
            return [*moves, sweep, Move("run", sweep.subject, ALL_GATES)]
        rival = self._ask(self._spec("accept", of))
        return [*moves, rival, Move("go", rival.subject)]

    def _fail_consumer(self, message: str) -> list[Move]:
        """Fail or kill a worker while it consumes a message."""
        worker = f"{message}!1"
        if self._random.random() * (self._fault["fail"] + self._fault["crash"]) < self._fault["fail"]:
            blow = Move("fail", worker, detail=self._random.choice(FAILURES))
        else:
            blow = Move("crash", "balance-worker")
        return [Move("deliver", message), Move("run", worker, self._random.randint(1, 6)), blow]

    @staticmethod
    def _is_of_events(packet: Packet) -> bool:
        return isinstance(packet, Message) and packet.queue.endswith(".events")

    @staticmethod
    def _is_call(packet: Packet) -> bool:
        """Return whether it is a request of a service to another service or to the bank."""
        return isinstance(packet, Request) and packet.caller is not None and not packet.is_of_user

    @staticmethod
    def _cut_connection(request: str) -> list[Move]:
        """Lose a request between services, and let its caller time out."""
        return [Move("lose", request), Move("time_out", request.rpartition("/")[0])]

    def _at_risk(self, actors: list[Actor]) -> Actor:
        """Choose an actor to fail. Consumers of events weigh more than requests, which clients repeat."""
        weights = [4 if isinstance(actor.packet, Message) else 1 for actor in actors]
        return self._random.choices(actors, weights)[0]

    def _ask(self, spec: Spec) -> Move:
        name = self._name("c")
        if spec.kind == "create":
            self._creators[name] = spec.user
        elif spec.kind == "topup":
            self._topups.append(name)
        return Move("ask", name, spec=spec)

    def _spec(self, kind: str, of: str | None = None) -> Spec:
        random = self._random
        user = random.choice(NAMES[:2] if kind == "create" and random.random() < 0.85 else NAMES)
        keyed = random.random() < 0.8
        retries = random.choice((0, 0, 1, 2))
        persists = keyed and random.random() < 0.7
        if kind == "again":
            return Spec(kind, user, of=f"c{random.randint(1, self._numbers['c'])}")
        if kind == "balance":
            return Spec(kind, user)
        if kind in ("create", "topup"):
            # Amounts are unique, so that the checker can assign rows to specs.
            amount = random.choice((1_000, 5_000, 15_000, 80_000)) + self._numbers["c"]
            lifetime = random.choice((1, 20, 60, 300, 86_400)) if kind == "create" else 0
            return Spec(kind, user, amount, lifetime, keyed=keyed, retries=retries, persists=persists)
        of = of or random.choice(self._open_checks() or list(self._creators))
        if kind in ("cancel", "code") and random.random() < 0.85:
            user = self._creators[of]
        wrong = kind == "accept" and random.random() < 0.1
        return Spec(kind, user, of=of, wrong_code=wrong, keyed=keyed, retries=retries, persists=persists)

    def _open_checks(self) -> list[str]:
        """Return the checks that a client knows and whose end no response has stated."""
        asked = self._system.clients.asked
        over = {
            other.spec.of for other in asked.values() if any(_is_end_of_check(response) for response in other.responses)
        }
        return [
            name
            for name in self._creators
            if name not in over
            and name in asked
            and (response := asked[name].success)
            and self._ends(response) > self._now()
        ]

    def _now(self) -> datetime:
        return self._system.clock.now()

    @staticmethod
    def _ends(response: Response) -> datetime:
        return datetime.fromisoformat(response.body["expiration"])

    def _scheduled(self) -> list[Move]:
        tick = self._tick(self._weighted(_TICKS))
        how = self._random.random()
        if how < 0.2:
            return [tick, Move("go", tick.subject)]
        return [tick, Move("run", tick.subject, ALL_GATES)] if how < 0.6 else [tick]

    def _tick(self, task: str) -> Move:
        return Move("tick", self._name("n"), detail=task)

    def _name(self, prefix: str) -> str:
        self._numbers[prefix] += 1
        return f"{prefix}{self._numbers[prefix]}"

    def _at_the_bank(self) -> list[Move]:
        what = self._weighted({"pay": 5, "declined": 1, "repeat": 3, "forged": 2, "wrong amount": 1})
        # A forged notification has an effect only for a payment that is not paid.
        unpaid = [name for name in self._topups if self._is_unpaid(name)] if what == "forged" else []
        topup = self._random.choice(unpaid or self._topups)
        if what in ("pay", "declined"):
            moves = [Move("pay", topup, detail="declined" if what == "declined" else "")]
        else:
            moves = [Move("notify", topup, detail=what)]
        if self._random.random() < 0.5:
            # Bring the event to the broker at once, where faults are most useful.
            relay = self._tick("relay-payments")
            moves += [Move("go", f"bank:{topup}"), relay, Move("run", relay.subject, ALL_GATES)]
        return moves

    def _is_unpaid(self, topup: str) -> bool:
        page = self._system.clients.page_of(topup)
        return page is not None and not self._system.bank.payment_of(page).taken

    def _time(self) -> list[Move]:
        """Advance by some seconds, or exactly to the expiration of a check."""
        seconds = self._seconds_to_an_end() if self._random.random() < 0.3 else 0
        return [Move("wait", number=seconds or self._random.choice((1, 1, 5, 6, 20)))]

    def _seconds_to_an_end(self, only: str = "") -> int:
        """Return the seconds to the expiration of a known check, or 0."""
        ahead = [
            int((self._ends(asked.success) - self._now()).total_seconds())
            for name, asked in self._system.clients.asked.items()
            if asked.spec.kind == "create" and asked.success and only in ("", name)
        ]
        ahead = [seconds for seconds in ahead if 0 < seconds <= FAR_AHEAD_SECONDS]
        return self._random.choice(ahead) if ahead else 0

    def _weighted(self, weights: dict[str, int]) -> str:
        return self._random.choices(list(weights), list(weights.values()))[0]


def _is_end_of_check(response: Response) -> bool:
    """Return whether the response states that the check has ended."""
    return response.code in REPORTED_STATUS or response.body.get("status") in ("used", "cancelled")
