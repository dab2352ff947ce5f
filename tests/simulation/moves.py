"""The moves of a simulation. A seed is a list of them; the same list does the same again."""

import json
from dataclasses import asdict, dataclass
from typing import Any, Final

from tests.simulation.clients import Wish

#: Through all gates, to the end or to where it has to wait.
ALL_GATES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Move:
    """One thing that happens. ``subject`` is an actor, a letter, a wish or a process; what does not exist is passed over.

    verbs: ask, run, go, deliver, copy, lose, time_out, give_up, crash, wait, nudge, pay, notify, wipe_broker,
    broker_down, broker_up.
    """

    verb: str
    subject: str = ""
    number: int = 0
    detail: str = ""
    wish: Wish | None = None

    def __str__(self) -> str:
        match self.verb:
            case "ask":
                return f"{self.wish} ({self.subject})"
            case "run":
                far = "as far as it can" if self.number >= ALL_GATES else f"through {self.number} gate(s)"
                return f"{self.subject} runs {far}"
            case "go":
                return f"{self.subject} and all that it asks of others comes to its end"
            case "deliver":
                return f"{self.subject} arrives"
            case "copy":
                return f"{self.subject} gets a second copy"
            case "lose":
                return f"{self.subject} is lost"
            case "time_out":
                return f"{self.subject} waits no longer for an answer"
            case "give_up":
                return f"{self.subject} waits no longer for a lock"
            case "crash":
                return f"{self.subject} is killed and comes back"
            case "wait":
                return f"{self.number} s pass"
            case "nudge":
                return f"{self.detail} starts ({self.subject})"
            case "pay":
                return f"the payer of {self.subject} enters a card" + (" that is declined" if self.detail else "")
            case "notify":
                return f"the bank notifies of {self.subject}: {self.detail}"
            case _:
                return self.verb.replace("_", " ")

    def as_json(self) -> str:
        """One line, for a file of seeds that once failed."""
        return json.dumps({key: value for key, value in asdict(self).items() if value})

    @classmethod
    def from_json(cls, line: str) -> "Move":
        values: dict[str, Any] = json.loads(line)
        wish = values.pop("wish", None)
        return cls(**values, wish=Wish(**wish) if wish else None)
