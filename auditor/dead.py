"""Events that balance has parked. A parked event explains a missing transfer, which stays a finding."""

from dataclasses import dataclass
from typing import Final

from auditor.sources import Source
from common.core.ids import derived_id

_DEAD: Final = "SELECT event_id::text, error, resolution, reason FROM dead_letters"


@dataclass(frozen=True, slots=True)
class DeadEvents:
    """Explanations of parked, replayed and discarded events, by event id."""

    explanations: dict[str, str]

    @classmethod
    def of(cls, ledger: Source) -> "DeadEvents":
        explanations = {}
        for event_id, error, resolution, reason in ledger.rows(_DEAD):
            if resolution is None:
                explanations[event_id] = f"event {event_id} is parked ({error}): replay or discard it"
            else:
                explanations[event_id] = f"event {event_id} was {resolution} by an operator ({reason})"
        return cls(explanations)

    def explain(self, event_type: str, subject_id: str) -> str:
        """Return why an event had no effect, as the end of a sentence; empty if it was not parked."""
        explanation = self.explanations.get(str(derived_id(event_type, subject_id)))
        return f"; {explanation}" if explanation else ""
