"""Chance, from a seed: which move is made next.

Each seed has its own mixture of faults (some have none of a kind, some have much of it): that finds more than the
same mixture every time.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from random import Random
from typing import Final

from tests.simulation.actors import State
from tests.simulation.calm import calm_moves
from tests.simulation.clients import NAMES, Wish
from tests.simulation.moves import ALL_GATES, Move
from tests.simulation.network import Answer, Message
from tests.simulation.world import PROCESSES, World

MOVES: Final = 170
WISHES: Final = 26
MAX_ACTORS: Final = 12
MAX_LETTERS: Final = 25
FIRST_TOPUP: Final = 40_000
FAR_AHEAD_SECONDS: Final = 300

#: kind of wish -> how often it is chosen.
_KINDS: Final = {"create": 5, "accept": 8, "cancel": 3, "code": 2, "topup": 1, "again": 3, "balance": 1}
#: Fault -> its greatest weight, beside 10 for "an actor runs on" and 8 for "a letter arrives".
_FAULTS: Final = {"copy": 1.2, "lose": 1.0, "time_out": 1.5, "crash": 0.5, "give_up": 3.0, "wipe": 0.15, "broker": 0.2}
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
        self._wishes = 0
        self._nudges = 0
        self._creators: dict[str, str] = {}
        self._topups: list[str] = []

    def moves(self) -> Iterator[Move]:
        """The moves of the seed. Each must be made before the next is asked for."""
        yield from self._beginning()
        for _ in range(MOVES):
            yield self._next()

    def _beginning(self) -> Iterator[Move]:
        """Two of the users get money, without a fault, so that there is something to play for."""
        names = [self._name(Wish("topup", user, amount=FIRST_TOPUP + number)) for number, user in enumerate(NAMES[:2])]
        for name, wish in names:
            yield Move("ask", name, wish=wish)
        yield from calm_moves(self._world)
        for name, _ in names:
            yield Move("pay", name)
        yield from calm_moves(self._world)
        yield self._nudge("relay-payments")
        yield from calm_moves(self._world)

    def _next(self) -> Move:
        random, world = self._random, self._world
        ready = list(world.in_state(State.READY))
        waiting = list(world.in_state(State.WAITING))
        blocked = list(world.in_state(State.BLOCKED))
        letters = sorted(world.network.in_flight)
        losable = [name for name in letters if not isinstance(world.network.in_flight[name], Answer)]
        busy = len(world.stage.actors) >= MAX_ACTORS
        full = len(letters) >= MAX_LETTERS
        weights: list[tuple[float, Callable[[], Move]]] = [
            (10.0 if ready else 0, lambda: Move("run", random.choice(ready).name, self._gates())),
            (8.0 if letters else 0, lambda: Move("deliver", random.choice(letters))),
            (0 if busy or self._wishes >= WISHES else 5.0, self._ask),
            (0 if busy else 2.5, lambda: self._nudge(_weighted(random, _NUDGES))),
            (1.0 if self._topups else 0, self._at_the_bank),
            (1.5, self._time),
            (self._fault["copy"] if losable and not full else 0, lambda: Move("copy", random.choice(losable))),
            (self._fault["lose"] if letters else 0, lambda: Move("lose", random.choice(letters))),
            (self._fault["time_out"] if waiting else 0, lambda: Move("time_out", random.choice(waiting).name)),
            (self._fault["give_up"] if blocked else 0, lambda: Move("give_up", random.choice(blocked).name)),
            (self._fault["crash"], lambda: Move("crash", random.choice(PROCESSES))),
            (self._fault["wipe"] if any(isinstance(i, Message) for i in world.network.in_flight.values()) else 0,
             lambda: Move("wipe_broker")),
            (self._fault["broker"] if world.network.broker_is_up else 1.0,
             lambda: Move("broker_down" if world.network.broker_is_up else "broker_up")),
        ]  # fmt: skip
        choice = random.choices([make for _, make in weights], [weight for weight, _ in weights])[0]
        return choice()

    def _gates(self) -> int:
        return self._random.randint(1, 3) if self._random.random() < self._fine else ALL_GATES

    def _name(self, wish: Wish) -> tuple[str, Wish]:
        self._wishes += 1
        name = f"c{self._wishes}"
        if wish.kind == "create":
            self._creators[name] = wish.user
        elif wish.kind == "topup":
            self._topups.append(name)
        return name, wish

    def _ask(self) -> Move:
        kind = _weighted(self._random, _KINDS)
        if kind in ("accept", "cancel", "code") and not self._known_checks():
            kind = "create"
        name, wish = self._name(self._wish(kind))
        return Move("ask", name, wish=wish)

    def _wish(self, kind: str) -> Wish:
        random = self._random
        user = random.choice(NAMES[:2] if kind == "create" and random.random() < 0.85 else NAMES)
        keyed = random.random() < 0.8
        patience = random.choice((0, 0, 1, 2))
        persists = keyed and random.random() < 0.7
        if kind == "again":
            return Wish(kind, user, of=f"c{random.randint(1, self._wishes)}")
        if kind == "balance":
            return Wish(kind, user)
        if kind in ("create", "topup"):
            # Every amount is the only one of its kind, so that the checker knows which row came of which wish.
            amount = random.choice((1_000, 5_000, 15_000, 60_000)) + self._wishes
            lifetime = random.choice((1, 5, 30, 30, 300, 86_400))
            return Wish(kind, user, amount, lifetime, keyed=keyed, patience=patience, persists=persists)
        of = random.choice(self._known_checks()[-5:])
        if kind in ("cancel", "code") and random.random() < 0.85:
            user = self._creators[of]
        wrong = kind == "accept" and random.random() < 0.1
        return Wish(kind, user, of=of, wrong_code=wrong, keyed=keyed, patience=patience, persists=persists)

    def _known_checks(self) -> list[str]:
        """The checks whose number and code somebody was told: only those can be played with."""
        return [name for name in self._creators if self._world.clients.number_of(name)]

    def _nudge(self, task: str) -> Move:
        self._nudges += 1
        return Move("nudge", f"n{self._nudges}", detail=task)

    def _at_the_bank(self) -> Move:
        topup = self._random.choice(self._topups)
        what = self._random.choices(("pay", "declined", "repeat", "forged", "wrong amount"), (6, 1, 3, 1, 1))[0]
        if what in ("pay", "declined"):
            return Move("pay", topup, detail="declined" if what == "declined" else "")
        return Move("notify", topup, detail=what)

    def _time(self) -> Move:
        """Some seconds, or exactly to the end of a check: the instant at which accepting and expiring meet."""
        seconds = self._random.choice((1, 1, 5, 6, 20))
        ends = [
            datetime.fromisoformat(asked.yes.body["expiration"])
            for asked in self._world.clients.asked.values()
            if asked.wish.kind == "create" and asked.yes
        ]
        ahead = [int((end - self._world.clock.now()).total_seconds()) for end in ends]
        ahead = [left for left in ahead if 0 < left <= FAR_AHEAD_SECONDS]
        if ahead and self._random.random() < 0.4:
            seconds = self._random.choice(ahead)
        return Move("wait", number=seconds)


def _weighted(random: Random, weights: dict[str, int]) -> str:
    return random.choices(list(weights), list(weights.values()))[0]
