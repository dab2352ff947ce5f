"""The result of a run, per round and in total."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.faults.chaos.injector import Struck
from tests.faults.chaos.options import Options
from tests.faults.record import Operation


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
    rounds: list[Round] = field(default_factory=list)
    struck: list[Struck] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    #: Number of requests without a response.
    unanswered: int = 0
    violations: list[str] = field(default_factory=list)
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
        """Return the number of operations per second while clients started operations."""
        return len(self.operations) / self.working_seconds if self.working_seconds else 0.0

    @property
    def moving(self) -> int:
        """Return the number of operations that move money."""
        return sum(operation.kind not in ("read", "login") for operation in self.operations)

    def operations_by_outcome(self) -> Counter[tuple[str, str]]:
        """Return the number of operations by kind and outcome: a status with its error code, or ``unknown``."""
        return Counter((operation.kind, _outcome(operation)) for operation in self.operations)

    def responses_by_status(self) -> Counter[str]:
        """Return the number of requests by the status of their responses."""
        found = Counter(str(response.status) for operation in self.operations for response in operation.responses)
        return found + Counter({"no response": self.unanswered})

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
            "operations": len(self.operations),
            "operations_that_move_money": self.moving,
            "operations_per_second": round(self.per_second, 1),
            "faults": len(self.happened),
            "faults_missed": len(self.struck) - len(self.happened),
            "longest_settling_seconds": _rounded(self.longest_settling),
            "operations_by_outcome": {f"{kind}: {end}": n for (kind, end), n in self.operations_by_outcome().items()},
            "requests_by_status": self.responses_by_status(),
            "faults_by_kind": kinds,
            "rounds": [asdict(each) for each in self.rounds],
            "struck": [asdict(each) for each in self.struck],
            "violations": self.violations,
        }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)


def _outcome(operation: Operation) -> str:
    return f"{operation.final[0].status} {operation.code}".strip() if operation.final else operation.outcome
