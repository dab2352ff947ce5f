"""The result of a run, per round and in total."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.faults.chaos.injector import Struck
from tests.faults.chaos.options import Options
from tests.faults.chaos.sampler import Sample
from tests.faults.chaos.tally import Tally
from tests.faults.chaos.violation import Violation


@dataclass(slots=True)
class Round:
    """``began``, ``last_fault``, ``ended``: Unix time. The other times are seconds after the last fault.

    ``settled``: every client has finished and nothing is in progress. ``money_settled``: the money is where it belongs,
    even if an acknowledgement is open. None: not within the limit.
    """

    number: int
    began: float
    last_fault: float = 0.0
    ended: float = 0.0
    money_settled: float | None = None
    finished: float | None = None
    settled: float | None = None
    left: dict[str, int] = field(default_factory=dict)
    #: Whether the system's auditor found the books clean during the faults; None: it could not read them.
    audit_during_faults: bool | None = None
    #: Number of compared rows by kind.
    compared: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Outcome:
    """The whole run."""

    options: Options
    tally: Tally
    rounds: list[Round] = field(default_factory=list)
    struck: list[Struck] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def is_clean(self) -> bool:
        return not self.violations

    @property
    def happened(self) -> list[Struck]:
        return [struck for struck in self.struck if not struck.missed]

    @property
    def longest_settling(self) -> float | None:
        """Return the longest settling time in seconds; None if a round did not settle."""
        settled = [each.settled for each in self.rounds]
        return (
            max((seconds for seconds in settled if seconds is not None), default=None) if None not in settled else None
        )

    @property
    def working_seconds(self) -> float:
        """Return the seconds in which clients started operations."""
        return sum(max(0.0, each.last_fault - each.began) for each in self.rounds)

    @property
    def per_second(self) -> float:
        return self.tally.total / self.working_seconds if self.working_seconds else 0.0

    def as_json(self) -> dict[str, Any]:
        """Return the report. Times are Unix time or seconds, amounts minor units."""
        kinds = Counter(struck.fault.kind.value for struck in self.happened)
        return {
            "seed": self.options.seed,
            "clean": self.is_clean,
            "minutes": self.options.minutes,
            "clients": self.options.clients,
            "replicas": self.options.replicas,
            "bus": self.options.bus,
            "seconds": round(self.seconds, 1),
            "operations": self.tally.total,
            "operations_that_move_money": self.tally.moving,
            "operations_per_second": round(self.per_second, 1),
            "faults": len(self.happened),
            "faults_missed": len(self.struck) - len(self.happened),
            "longest_settling_seconds": _rounded(self.longest_settling),
            "operations_by_kind": {f"{kind}: {end}": n for (kind, end), n in sorted(self.tally.operations.items())},
            "requests_by_answer": dict(sorted(self.tally.requests.items())),
            "faults_by_kind": dict(sorted(kinds.items())),
            "rounds": [asdict(each) for each in self.rounds],
            "violations": [asdict(violation) for violation in self.violations],
        }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)
