"""Which fault strikes when: all of it follows from the seed, and nothing of it from what the system does."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from deploy.services import SERVICES
from tests.faults.chaos.options import LONGEST_FREEZE_SECONDS


class Kind(StrEnum):
    """What can befall the system. The values are what people read."""

    WEB = "web server killed"
    WEB_WORKER = "web server's helper killed"
    BUS = "worker, relay or scheduler killed"
    POSTGRES = "PostgreSQL killed"
    POSTGRES_SESSION = "PostgreSQL session killed"
    REDIS_KILLED = "Redis killed"
    REDIS_FROZEN = "Redis frozen"
    REDIS_RESTARTED = "Redis restarted"
    REDIS_WIPED = "Redis wiped"
    BANK = "bank misbehaves"
    FORGED = "notifications forged"
    CLOCK = "sweep's clock ahead"


#: Faults that last; the others are over in a moment.
LASTING: Final = frozenset({Kind.REDIS_FROZEN, Kind.BANK, Kind.CLOCK})

#: What the sandbox bank does to the orders that come meanwhile: each next order gets the next list.
MISBEHAVIOURS: Final = (
    (("notify_twice",), ("notify_late", "notify_twice"), ("notify_out_of_order",)),
    (("notify_lost",), (), ("notify_lost",)),
    (("wrong_signature",), ("wrong_amount",), ("wrong_terminal",)),
    (("api_500",), ("api_dead",), ("notify_out_of_order", "notify_twice")),
    (("api_slow",), ("api_dead",), ("notify_late",)),
    (("notify_lost",), ("notify_twice",), ("api_dead",), ("wrong_signature",), ("notify_late",)),
)

#: Each ends the lives of some of the checks that are alive: an hour, a day, a week.
CLOCK_OFFSETS_SECONDS: Final = (2 * 3_600, 2 * 86_400, 8 * 86_400)


@dataclass(frozen=True, slots=True)
class Fault:
    """``at`` and ``seconds``: when after the beginning of its round, and for how long. ``target`` is a process."""

    number: int
    round_no: int
    kind: Kind
    at: float
    seconds: float = 0.0
    target: str = ""
    choice: int = 0

    @property
    def title(self) -> str:
        what = f"{self.kind.value} ({self.target})" if self.target else self.kind.value
        return f"{what} for {self.seconds:.1f} s" if self.seconds else what


_WEB: Final = tuple(f"{service.name}-web" for service in SERVICES)
_BUS: Final = tuple(f"{service.name}-{role}" for service in SERVICES for role in service.bus_roles)

_Card = tuple[Kind, str]
#: What a round is made of: so many faults from each pile. A pile is drawn to its end before it is shuffled again, so
#: that everything comes about equally often and nothing is left out for long.
_PILES: Final[tuple[tuple[int, tuple[_Card, ...]], ...]] = (
    (2, tuple((Kind.WEB, name) for name in _WEB)),
    (1, tuple((Kind.WEB_WORKER, name) for name in _WEB)),
    (3, tuple((Kind.BUS, name) for name in _BUS)),
    (2, ((Kind.POSTGRES, "postgres"), (Kind.POSTGRES, "postgres"), (Kind.POSTGRES_SESSION, "postgres"))),
    (
        2,
        (
            (Kind.REDIS_FROZEN, "redis"),
            (Kind.REDIS_KILLED, "redis"),
            (Kind.REDIS_WIPED, "redis"),
            (Kind.REDIS_FROZEN, "redis"),
            (Kind.REDIS_RESTARTED, "redis"),
            (Kind.REDIS_WIPED, "redis"),
        ),
    ),
    (1, ((Kind.BANK, "sandbox_bank-web"),)),
    (2, ((Kind.FORGED, "gateway-web"), (Kind.CLOCK, "checks-worker"), (Kind.BANK, "sandbox_bank-web"))),
)

FAULTS_PER_ROUND: Final = sum(count for count, _ in _PILES)


def make_plan(seed: int, *, rounds: int, striking_seconds: float) -> list[list[Fault]]:
    """The faults of each round, in order of time. A shorter run of the same seed begins like a longer one."""
    piles = [
        (count, _draw(random.Random(f"{seed}/pile/{place}"), cards)) for place, (count, cards) in enumerate(_PILES)
    ]
    plan = []
    number = 0
    for round_no in range(1, rounds + 1):
        cards = [next(pile) for count, pile in piles for _ in range(count)]
        rng = random.Random(f"{seed}/round/{round_no}")
        rng.shuffle(cards)
        moments = sorted(rng.uniform(0, striking_seconds) for _ in cards)
        faults = []
        for (kind, target), at in zip(cards, moments, strict=True):
            number += 1
            seconds = _lasts(rng, kind, striking_seconds)
            faults.append(Fault(number, round_no, kind, at, seconds, target, rng.randrange(1_000_000)))
        plan.append(faults)
    return plan


def _draw(rng: random.Random, cards: Sequence[_Card]) -> Iterator[_Card]:
    while True:
        yield from rng.sample(cards, len(cards))


def _lasts(rng: random.Random, kind: Kind, striking_seconds: float) -> float:
    """Every second time as long as can be. In a short run nothing lasts for more than a third of it."""
    if kind not in LASTING:
        return 0.0
    longest = min(LONGEST_FREEZE_SECONDS, striking_seconds / 3)
    return rng.choice((longest, rng.uniform(longest / 4, longest)))
