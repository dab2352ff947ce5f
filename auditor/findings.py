"""The result of an audit: violations, transfers in flight, and totals."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

#: Maximum number of findings per rule that are reported individually; the rest is counted.
MAX_FINDINGS_PER_RULE: Final = 50


@dataclass(frozen=True, slots=True)
class Finding:
    """A violation of ``rule`` by the record ``subject``."""

    rule: str
    subject: str
    message: str


@dataclass(frozen=True, slots=True)
class InFlight:
    """An amount whose transfer is decided and not yet posted, and the reason."""

    subject: str
    amount_minor: int
    currency: str
    reason: str


@dataclass(frozen=True, slots=True)
class Head:
    """The newest block of the hash chain. A copy stored elsewhere proves everything before it."""

    block_no: int
    last_no: int
    sealed_at: datetime
    hash: str


@dataclass(slots=True)
class Report:
    """The outcome of one audit. ``totals`` are minor units by place and currency; ``since`` None: all of the books."""

    since: datetime | None = None
    started_at: datetime | None = None
    seconds: float = 0.0
    head: Head | None = None
    findings: list[Finding] = field(default_factory=list)
    in_flight: list[InFlight] = field(default_factory=list)
    totals: dict[str, dict[str, int]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    rules: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not self.findings

    def apply(self, rule: str, findings: Iterable[Finding]) -> None:
        """Record that a rule was applied, and its distinct findings up to MAX_FINDINGS_PER_RULE."""
        if rule not in self.rules:
            self.rules.append(rule)
        found = list({(finding.subject, finding.message): finding for finding in findings}.values())
        self.findings += found[:MAX_FINDINGS_PER_RULE]
        if len(found) > MAX_FINDINGS_PER_RULE:
            self.findings.append(Finding(rule, "more", f"{len(found) - MAX_FINDINGS_PER_RULE} further violations"))

    def take(self, part: "Report") -> None:
        """Merge the report of another part of the same audit."""
        self.rules += [rule for rule in part.rules if rule not in self.rules]
        self.findings += part.findings
        self.in_flight += part.in_flight
        self.totals |= part.totals
        self.counts |= part.counts

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON values: amounts in minor units, times in ISO 8601."""
        return {
            "clean": self.is_clean,
            "since": self.since.isoformat() if self.since else None,
            "started_at": self.started_at.isoformat() if self.started_at else None,
            "seconds": round(self.seconds, 3),
            "head": {**asdict(self.head), "sealed_at": self.head.sealed_at.isoformat()} if self.head else None,
            "findings": [asdict(finding) for finding in self.findings],
            "in_flight": [
                {"subject": i.subject, "amount": i.amount_minor, "currency": i.currency, "reason": i.reason}
                for i in self.in_flight
            ],
            "totals": self.totals,
            "counts": self.counts,
            "rules": self.rules,
        }
