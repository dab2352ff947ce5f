"""The plan of faults. It follows from the seed alone, not from the behaviour of the system."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from deploy.services import SERVICES
from tests.faults.chaos.options import LONGEST_FREEZE_SECONDS


class Kind(StrEnum):
    """Kinds of faults. The values appear in reports."""

    WEB = "web server killed"
    WEB_WORKER = "web server's worker process killed"
    BUS = "worker, relay or scheduler killed"
    POSTGRES = "PostgreSQL killed"
    POSTGRES_SESSION = "PostgreSQL session killed"
    REDIS_KILLED = "Redis killed"
    REDIS_FROZEN = "Redis frozen"
    REDIS_RESTARTED = "Redis restarted"
    REDIS_WIPED = "Redis wiped"
    BANK = "bank fails"
    FORGED = "notifications forged"
    CLOCK = "sweep's clock ahead"


#: Faults with a duration; the others are instantaneous.
LASTING: Final = frozenset({Kind.REDIS_FROZEN, Kind.BANK, Kind.CLOCK})

#: Plans of the sandbox bank: each new order gets the next list of faults.
BANK_FAULTS: Final = (
    (("notify_twice",), ("notify_late", "notify_twice"), ("notify_out_of_order",)),
    (("notify_lost",), (), ("notify_lost",)),
    (("wrong_signature",), ("wrong_amount",), ("wrong_terminal",)),
    (("api_500",), ("api_dead",), ("notify_out_of_order", "notify_twice")),
    (("api_slow",), ("api_dead",), ("notify_late",)),
    (("notify_lost",), ("notify_twice",), ("api_dead",), ("wrong_signature",), ("notify_late",)),
)

#: Each offset expires some of the checks with lifetimes of an hour, a day or a week.
CLOCK_OFFSETS_SECONDS: Final = (2 * 3_600, 2 * 86_400, 8 * 86_400)


@dataclass(frozen=True, slots=True)
class Fault:
    """``at`` and ``seconds``: start after the beginning of the round, and duration. ``target`` is a process."""

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
#: The faults of a round: a number from each pile. A pile is drawn to its end before it is shuffled again, so that all
#: faults occur about equally often.
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
    """Return the faults of each round in order of time. A shorter run of a seed begins like a longer one."""
    piles = [
        (count, _draw(random.Random(f"{seed}/pile/{place}"), cards)) for place, (count, cards) in enumerate(_PILES)
    ]
    plan = []
    number = 0
    for round_no in range(1, rounds + 1):
        cards = [next(pile) for count, pile in piles for _ in range(count)]
        rng = random.Random(f"{seed}/round/{round_no}")
        rng.shuffle(cards)
        times = sorted(rng.uniform(0, striking_seconds) for _ in cards)
        faults = []
        for (kind, target), at in zip(cards, times, strict=True):
            number += 1
            seconds = _lasts(rng, kind, striking_seconds)
            faults.append(Fault(number, round_no, kind, at, seconds, target, rng.randrange(1_000_000)))
        plan.append(faults)
    return plan


def _draw(rng: random.Random, cards: Sequence[_Card]) -> Iterator[_Card]:
    while True:
        yield from rng.sample(cards, len(cards))


def _lasts(rng: random.Random, kind: Kind, striking_seconds: float) -> float:
    """Return a duration: half of the faults last as long as allowed, at most a third of a short run."""
    if kind not in LASTING:
        return 0.0
    longest = min(LONGEST_FREEZE_SECONDS, striking_seconds / 3)
    return rng.choice((longest, rng.uniform(longest / 4, longest)))
