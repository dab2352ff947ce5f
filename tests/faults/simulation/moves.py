"""The moves of a simulation. A seed is a list of moves, and replaying the list reproduces the run."""

import json
from dataclasses import asdict, dataclass
from typing import Any, Final

from tests.faults.simulation.clients import Spec

#: Through all gates, to the end or until it must wait.
ALL_GATES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Move:
    """One event. ``subject`` is an actor, a packet, a spec or a process.

    A move whose subject does not exist is skipped.

    verbs: ask, run, go, deliver, copy, lose, time_out, give_up, fail, crash, wait, tick, pay, notify, wipe_broker,
    broker_down, broker_up.
    """

    verb: str
    subject: str = ""
    number: int = 0
    detail: str = ""
    spec: Spec | None = None

    def __str__(self) -> str:
        far = "as far as it can" if self.number >= ALL_GATES else f"through {self.number} gate(s)"
        declined = " that is declined" if self.detail else ""
        sentences = {
            "ask": f"{self.spec} ({self.subject})",
            "run": f"{self.subject} runs {far}",
            "go": f"{self.subject} and all calls it makes run to their end",
            "deliver": f"{self.subject} arrives",
            "copy": f"{self.subject} gets a second copy",
            "lose": f"{self.subject} is lost",
            "time_out": f"{self.subject} times out waiting for a response",
            "give_up": f"{self.subject} times out waiting for a lock",
            "fail": f"the database fails {self.subject}: {self.detail}",
            "crash": f"{self.subject} is killed and comes back",
            "wait": f"{self.number} s pass",
            "tick": f"{self.detail} starts ({self.subject})",
            "pay": f"the payer of {self.subject} enters a card{declined}",
            "notify": f"the bank notifies of {self.subject}: {self.detail}",
        }
        return sentences.get(self.verb, self.verb.replace("_", " "))

    def as_json(self) -> str:
        """Return the move as one line of JSON."""
        return json.dumps({key: value for key, value in asdict(self).items() if value})

    @classmethod
    def from_json(cls, line: str) -> "Move":
        values: dict[str, Any] = json.loads(line)
        spec = values.pop("spec", None)
        return cls(**values, spec=Spec(**spec) if spec else None)
