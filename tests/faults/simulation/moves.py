"""The moves of a simulation. A seed is a list of them; the same list does the same again."""

import json
from dataclasses import asdict, dataclass
from typing import Any, Final

from tests.faults.simulation.clients import Wish

#: Through all gates, to the end or to where it has to wait.
ALL_GATES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Move:
    """One thing that happens. ``subject`` is an actor, a letter, a wish or a process.

    What does not exist is passed over.

    verbs: ask, run, go, deliver, copy, lose, time_out, give_up, fail, crash, wait, nudge, pay, notify, wipe_broker,
    broker_down, broker_up.
    """

    verb: str
    subject: str = ""
    number: int = 0
    detail: str = ""
    wish: Wish | None = None

    def __str__(self) -> str:
        far = "as far as it can" if self.number >= ALL_GATES else f"through {self.number} gate(s)"
        declined = " that is declined" if self.detail else ""
        sentences = {
            "ask": f"{self.wish} ({self.subject})",
            "run": f"{self.subject} runs {far}",
            "go": f"{self.subject} and all that it asks of others comes to its end",
            "deliver": f"{self.subject} arrives",
            "copy": f"{self.subject} gets a second copy",
            "lose": f"{self.subject} is lost",
            "time_out": f"{self.subject} waits no longer for an answer",
            "give_up": f"{self.subject} waits no longer for a lock",
            "fail": f"the database fails {self.subject}: {self.detail}",
            "crash": f"{self.subject} is killed and comes back",
            "wait": f"{self.number} s pass",
            "nudge": f"{self.detail} starts ({self.subject})",
            "pay": f"the payer of {self.subject} enters a card{declined}",
            "notify": f"the bank notifies of {self.subject}: {self.detail}",
        }
        return sentences.get(self.verb, self.verb.replace("_", " "))

    def as_json(self) -> str:
        """One line, for a file of seeds that once failed."""
        return json.dumps({key: value for key, value in asdict(self).items() if value})

    @classmethod
    def from_json(cls, line: str) -> "Move":
        values: dict[str, Any] = json.loads(line)
        wish = values.pop("wish", None)
        return cls(**values, wish=Wish(**wish) if wish else None)
