"""The checks against the ledger: each check's state must be what the ledger did, or be on its way there."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from cli.audit.findings import Finding, InFlight
from cli.audit.merge import side_by_side
from cli.audit.sources import Sources

RULE: Final = "every check stands in the ledger as its own state says"

_CHECKS: Final = """
    SELECT check_id::text, status, creator_id::text, acceptor_id::text, amount_minor, currency, number::text
      FROM checks {where} ORDER BY check_id
"""

_LEDGER: Final = """
    SELECT h.subject_id::text, h.outcome, h.user_id::text, h.amount_minor, h.currency, e.kind, e.user_id::text
      FROM transfers h LEFT JOIN transfers e ON e.closes_id = h.transfer_id
     WHERE h.kind = 'check_created' {where} ORDER BY h.subject_id
"""

_OPEN_EVENTS: Final = """
    SELECT payload->>'check_id' FROM outbox WHERE closed_at IS NULL AND payload ? 'check_id'
"""

#: What the ledger calls the end that a check's status speaks of.
_ENDING: Final = {"used": "check_accepted", "expired": "check_expired", "cancelled": "check_cancelled"}


@dataclass(frozen=True, slots=True)
class Check:
    """A check as its service has it."""

    check_id: str
    status: str
    creator_id: str
    acceptor_id: str | None
    amount_minor: int
    currency: str
    number: str


@dataclass(frozen=True, slots=True)
class Held:
    """A check as the ledger has it: the hold, and how it ended."""

    check_id: str
    outcome: str
    user_id: str
    amount_minor: int
    currency: str
    ending: str | None
    ended_for: str | None


Verdict = Finding | InFlight | None


def compare_all(sources: Sources) -> tuple[list[Verdict], int, list[str]]:
    """Compare every check; returns verdicts that are in order, the number compared, and the ids to look at again."""
    open_events = {row[0] for row in sources.checks.rows(_OPEN_EVENTS)}
    settled: list[Verdict] = []
    doubtful: list[str] = []
    count = 0
    pairs = side_by_side(
        sources.checks.stream(_CHECKS.format(where="")), sources.balance.stream(_LEDGER.format(where=""))
    )
    for left, right in pairs:
        count += 1
        verdict = _verdict(left, right, open_events)
        if isinstance(verdict, Finding):
            doubtful.append(verdict.subject.removeprefix("check "))
        elif verdict is not None:
            settled.append(verdict)
    return settled, count, doubtful


def compare_some(sources: Sources, check_ids: Iterable[str]) -> list[Verdict]:
    """Compare these checks alone."""
    ids = [list(check_ids)]
    open_events = {row[0] for row in sources.checks.rows(_OPEN_EVENTS)}
    pairs = side_by_side(
        sources.checks.rows(_CHECKS.format(where="WHERE check_id = ANY(%s::uuid[])"), ids),
        sources.balance.rows(_LEDGER.format(where="AND h.subject_id = ANY(%s::uuid[])"), ids),
    )
    return [_verdict(left, right, open_events) for left, right in pairs]


def _verdict(left: tuple[Any, ...] | None, right: tuple[Any, ...] | None, open_events: set[str]) -> Verdict:
    held = Held(*right) if right else None
    if left is None:
        if held is None or held.outcome == "refused":
            return None
        return _wrong(held.check_id, f"the ledger holds {held.amount_minor} {held.currency} for a check nobody knows")
    check = Check(*left)
    subject = f"check {check.check_id}"
    if held is not None and held.outcome == "posted":
        if (held.user_id, held.amount_minor, held.currency) != (check.creator_id, check.amount_minor, check.currency):
            return _wrong(
                check.check_id,
                f"is of {check.amount_minor} {check.currency} by {check.creator_id}, the ledger holds"
                f" {held.amount_minor} {held.currency} of {held.user_id}",
            )
        return _held_verdict(check, held, open_events)
    if check.status == "pending":
        return InFlight(subject, check.amount_minor, check.currency, "being created: the hold is not decided yet")
    if check.status == "rejected":
        return None
    return _wrong(check.check_id, f"is {check.status}, but the ledger never held its {check.amount_minor}")


def _held_verdict(check: Check, held: Held, open_events: set[str]) -> Verdict:
    subject = f"check {check.check_id}"
    wanted = _ENDING.get(check.status)
    if wanted is None:
        if held.ending is not None:
            return _wrong(check.check_id, f"is {check.status}, but the ledger has paid it out ({held.ending})")
        if check.status == "rejected":
            return _wrong(check.check_id, f"is rejected, but the ledger holds its {check.amount_minor}")
        if check.status == "pending":
            return InFlight(subject, check.amount_minor, check.currency, "being created: held, not yet active")
        return None
    owner = check.acceptor_id if check.status == "used" else check.creator_id
    if held.ending is None:
        if check.check_id in open_events:
            return InFlight(subject, check.amount_minor, check.currency, f"{check.status}: its event is on the way")
        return _wrong(check.check_id, f"is {check.status}, its money is still in escrow and no event is on the way")
    if (held.ending, held.ended_for) != (wanted, owner):
        return _wrong(
            check.check_id, f"is {check.status} for {owner}, the ledger has {held.ending} for {held.ended_for}"
        )
    return None


def _wrong(check_id: str, message: str) -> Finding:
    return Finding(RULE, f"check {check_id}", message)
