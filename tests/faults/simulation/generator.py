"""Chance, from a seed: which move is made next.

Each seed has its own mixture of faults (some have none of a kind, some have much of it): that finds more than the
same mixture every time.
"""

from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from random import Random
from typing import Final

from tests.faults.simulation.actors import Actor, State
from tests.faults.simulation.calm import calm_moves
from tests.faults.simulation.clients import NAMES, Told, Wish
from tests.faults.simulation.failures import FAILURES, GATES
from tests.faults.simulation.moves import ALL_GATES, Move
from tests.faults.simulation.network import Answer, Letter, Message, Request
from tests.faults.simulation.world import World

MOVES: Final = 150
WISHES: Final = 30
MAX_ACTORS: Final = 14
MAX_LETTERS: Final = 25
FIRST_TOPUP: Final = 90_000
#: A wait to the end of a check is not longer than this; what lives longer stays active.
FAR_AHEAD_SECONDS: Final = 300

#: kind of wish -> how often it is chosen.
_KINDS: Final = {"create": 5, "accept": 7, "cancel": 3, "code": 2, "topup": 3, "again": 3, "balance": 1}
#: Fault -> its greatest weight, beside 10 for "an actor runs on" and 8 for "a letter arrives".
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
_NUDGES: Final = {
    "relay-checks": 5,
    "relay-payments": 3,
    "expire": 4,
    "finish": 3,
    "poll": 2,
    "flush": 3,
    "forget": 1,
}


class Generator:
    """Chooses moves that fit the world as it stands."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._random = Random(f"moves/{seed}")
        self._fault = {name: self._random.choice((0.0, 0.3, 1.0)) * most for name, most in _FAULTS.items()}
        #: How far an actor runs in one move: gate by gate, or through.
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
        topups = [self._ask(Wish("topup", user, FIRST_TOPUP + number)) for number, user in enumerate(NAMES[:2])]
        yield from topups
        yield from calm_moves(self._world)
        for topup in topups:
            yield Move("pay", topup.subject)
        yield from calm_moves(self._world)
        yield self._nudge("relay-payments")
        yield from calm_moves(self._world)
        yield self._ask(self._wish("create"))
        yield from calm_moves(self._world)

    def _next(self) -> list[Move]:
        random, world, fault = self._random, self._world, self._fault
        ready = list(world.in_state(State.READY))
        at_database = [actor for actor in ready if actor.at in GATES]
        waiting = list(world.in_state(State.WAITING))
        blocked = list(world.in_state(State.BLOCKED))
        letters = sorted(world.network.in_flight)
        copied = [name for name in letters if not isinstance(world.network.in_flight[name], Answer)]
        messages = [name for name in letters if isinstance(world.network.in_flight[name], Message)]
        events = [name for name in messages if self._is_of_events(world.network.in_flight[name])]
        calls = [name for name in letters if self._is_call(world.network.in_flight[name])]
        idle = len(world.stage.actors) < MAX_ACTORS and len(letters) < MAX_LETTERS
        may_ask = idle and self._numbers["c"] < WISHES
        broker_is_up = world.network.broker_is_up
        weights: list[tuple[float, Callable[[], list[Move]]]] = [
            (10.0 * bool(ready), lambda: [Move("run", random.choice(ready).name, self._gates())]),
            (8.0 * bool(letters), lambda: [Move("deliver", random.choice(letters))]),
            (5.0 * may_ask, self._wished),
            (2.5 * (may_ask and bool(self._open_checks())), self._rush),
            (1.5 * (may_ask and bool(self._open_checks())), self._photo_finish),
            (3.5 * idle, self._scheduled),
            (1.5 * (idle and bool(self._topups)), self._at_the_bank),
            (0.7, self._time),
            (fault["copy"] * (idle and bool(copied)), lambda: [Move("copy", random.choice(copied))]),
            (fault["lose"] * bool(letters), lambda: [Move("lose", random.choice(letters))]),
            (fault["time_out"] * bool(waiting), lambda: [Move("time_out", random.choice(waiting).name)]),
            (fault["give_up"] * bool(blocked), lambda: [Move("give_up", random.choice(blocked).name)]),
            (
                fault["fail"] * bool(at_database),
                lambda: [Move("fail", self._at_risk(at_database).name, detail=random.choice(FAILURES))],
            ),
            (fault["crash"] * bool(ready), lambda: [Move("crash", self._at_risk(ready).process)]),
            ((fault["fail"] + fault["crash"]) * bool(events), lambda: self._struck(random.choice(events))),
            (0.5 * (fault["lose"] + fault["time_out"]) * bool(calls), lambda: self._cut_off(random.choice(calls))),
            (fault["wipe"] * bool(messages), lambda: [Move("wipe_broker")]),
            (fault["broker"] if broker_is_up else 1.0, lambda: [Move("broker_down" if broker_is_up else "broker_up")]),
        ]
        choice = random.choices([make for _, make in weights], [weight for weight, _ in weights])[0]
        return choice()

    def _gates(self) -> int:
        return self._random.randint(1, 3) if self._random.random() < self._fine else ALL_GATES

    def _wished(self) -> list[Move]:
        """Somebody wants something; often all goes well with it."""
        kind = self._weighted(_KINDS)
        if kind in ("accept", "cancel", "code") and not self._open_checks() and self._random.random() < 0.8:
            kind = "create"
        ask = self._ask(self._wish(kind))
        return [ask, Move("go", ask.subject)] if self._random.random() < 0.4 else [ask]

    def _rush(self) -> list[Move]:
        """Many want something of one check, at one instant: that at which it expires, if it has one soon."""
        of = self._random.choice(self._open_checks())
        kinds = [self._random.choice(("accept", "accept", "accept", "cancel", "code")) for _ in range(3)]
        asks = [self._ask(self._wish(kind, of)) for kind in kinds]
        moves: list[Move] = []
        if self._random.random() < 0.5:
            moves.append(self._nudge("expire"))
            # Before, at or after the instant of the requests: whichever comes first there.
            seconds = self._seconds_to_an_end(only=of)
            if seconds:
                moves.append(Move("wait", number=seconds))
        for ask in asks:
            moves += [ask, Move("run", ask.subject, ALL_GATES), Move("deliver", f"{ask.subject}/1")]
        return moves

    def _photo_finish(self) -> list[Move]:
        """Somebody is about to lock a check, or has it locked, when it expires; and there is the sweep, or a rival."""
        of = self._random.choice(self._open_checks())
        seconds = self._seconds_to_an_end(only=of)
        ask = self._ask(self._wish(self._random.choice(("accept", "accept", "cancel", "code")), of))
        request = f"{ask.subject}/1"
        moves = [
            ask,
            Move("run", ask.subject, ALL_GATES),
            Move("deliver", request),
            Move("run", f"{request}!1", self._random.randint(1, 3)),
            *([Move("wait", number=seconds)] if seconds else []),
        ]
        if self._random.random() < 0.5:
            sweep = self._nudge("expire")
            return [*moves, sweep, Move("run", sweep.subject, ALL_GATES)]
        rival = self._ask(self._wish("accept", of))
        return [*moves, rival, Move("go", rival.subject)]

    def _struck(self, message: str) -> list[Move]:
        """A worker takes a message, and in the middle of it something befalls him."""
        worker = f"{message}!1"
        if self._random.random() * (self._fault["fail"] + self._fault["crash"]) < self._fault["fail"]:
            blow = Move("fail", worker, detail=self._random.choice(FAILURES))
        else:
            blow = Move("crash", "balance-worker")
        return [Move("deliver", message), Move("run", worker, self._random.randint(1, 6)), blow]

    @staticmethod
    def _is_of_events(letter: Letter) -> bool:
        return isinstance(letter, Message) and letter.queue.endswith(".events")

    @staticmethod
    def _is_call(letter: Letter) -> bool:
        """Whether it is a request of one service to another, or to the bank."""
        return isinstance(letter, Request) and letter.caller is not None and not letter.is_of_user

    @staticmethod
    def _cut_off(request: str) -> list[Move]:
        """The line between two services breaks: the one never hears of it, the other waits in vain."""
        return [Move("lose", request), Move("time_out", request.rpartition("/")[0])]

    def _at_risk(self, actors: list[Actor]) -> Actor:
        """Who is struck: rather one who works for an event than one whose client asks again."""
        weights = [4 if isinstance(actor.letter, Message) else 1 for actor in actors]
        return self._random.choices(actors, weights)[0]

    def _ask(self, wish: Wish) -> Move:
        name = self._name("c")
        if wish.kind == "create":
            self._creators[name] = wish.user
        elif wish.kind == "topup":
            self._topups.append(name)
        return Move("ask", name, wish=wish)

    def _wish(self, kind: str, of: str | None = None) -> Wish:
        random = self._random
        user = random.choice(NAMES[:2] if kind == "create" and random.random() < 0.85 else NAMES)
        keyed = random.random() < 0.8
        patience = random.choice((0, 0, 1, 2))
        persists = keyed and random.random() < 0.7
        if kind == "again":
            return Wish(kind, user, of=f"c{random.randint(1, self._numbers['c'])}")
        if kind == "balance":
            return Wish(kind, user)
        if kind in ("create", "topup"):
            # Every amount is the only one of its kind, so that the checker knows which row came of which wish.
            amount = random.choice((1_000, 5_000, 15_000, 80_000)) + self._numbers["c"]
            lifetime = random.choice((1, 20, 60, 300, 86_400)) if kind == "create" else 0
            return Wish(kind, user, amount, lifetime, keyed=keyed, patience=patience, persists=persists)
        of = of or random.choice(self._open_checks() or list(self._creators))
        if kind in ("cancel", "code") and random.random() < 0.85:
            user = self._creators[of]
        wrong = kind == "accept" and random.random() < 0.1
        return Wish(kind, user, of=of, wrong_code=wrong, keyed=keyed, patience=patience, persists=persists)

    def _open_checks(self) -> list[str]:
        """The checks whose number and code somebody knows, and whose end nobody was told of."""
        asked = self._world.clients.asked
        over = {other.wish.of for other in asked.values() if any(told.is_end_of_check for told in other.told)}
        return [
            name
            for name in self._creators
            if name not in over and name in asked and (told := asked[name].yes) and self._ends(told) > self._now()
        ]

    def _now(self) -> datetime:
        return self._world.clock.now()

    @staticmethod
    def _ends(told: Told) -> datetime:
        return datetime.fromisoformat(told.body["expiration"])

    def _scheduled(self) -> list[Move]:
        nudge = self._nudge(self._weighted(_NUDGES))
        how = self._random.random()
        if how < 0.2:
            return [nudge, Move("go", nudge.subject)]
        return [nudge, Move("run", nudge.subject, ALL_GATES)] if how < 0.6 else [nudge]

    def _nudge(self, task: str) -> Move:
        return Move("nudge", self._name("n"), detail=task)

    def _name(self, letter: str) -> str:
        self._numbers[letter] += 1
        return f"{letter}{self._numbers[letter]}"

    def _at_the_bank(self) -> list[Move]:
        what = self._weighted({"pay": 5, "declined": 1, "repeat": 3, "forged": 2, "wrong amount": 1})
        # To say of what is paid that it is paid changes nothing, so whoever lies speaks of what is not.
        unpaid = [name for name in self._topups if self._is_unpaid(name)] if what == "forged" else []
        topup = self._random.choice(unpaid or self._topups)
        if what in ("pay", "declined"):
            moves = [Move("pay", topup, detail="declined" if what == "declined" else "")]
        else:
            moves = [Move("notify", topup, detail=what)]
        if self._random.random() < 0.5:
            # Quickly to where the event is with the broker: what happens there is worth more than the way.
            relay = self._nudge("relay-payments")
            moves += [Move("go", f"bank:{topup}"), relay, Move("run", relay.subject, ALL_GATES)]
        return moves

    def _is_unpaid(self, topup: str) -> bool:
        page = self._world.clients.page_of(topup)
        return page is not None and not self._world.bank.payment_of(page).taken

    def _time(self) -> list[Move]:
        """Some seconds, or exactly to the end of a check."""
        seconds = self._seconds_to_an_end() if self._random.random() < 0.3 else 0
        return [Move("wait", number=seconds or self._random.choice((1, 1, 5, 6, 20)))]

    def _seconds_to_an_end(self, only: str = "") -> int:
        """From now to the end of a check that somebody knows; 0 if none ends soon."""
        ahead = [
            int((self._ends(asked.yes) - self._now()).total_seconds())
            for name, asked in self._world.clients.asked.items()
            if asked.wish.kind == "create" and asked.yes and only in ("", name)
        ]
        ahead = [seconds for seconds in ahead if 0 < seconds <= FAR_AHEAD_SECONDS]
        return self._random.choice(ahead) if ahead else 0

    def _weighted(self, weights: dict[str, int]) -> str:
        return self._random.choices(list(weights), list(weights.values()))[0]
