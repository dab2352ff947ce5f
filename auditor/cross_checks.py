"""The checks against the ledger: each check's state must be what the ledger did, or be on its way there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from auditor.crossing import Comparison, Verdict, ask_again, in_batches, side_by_side
from auditor.dead import DeadEvents
from auditor.digest import derived_hex
from auditor.findings import Finding, InFlight, Report
from auditor.sources import Row, Source, Sources
from common.contracts.events import CheckAccepted, CheckCancelled, CheckExpired
from common.core.ids import derived_id

RULE: Final = "every check stands in the ledger as its own state says"
PAYLOADS: Final = "every open event of a check says what the check says"

#: The first seven columns are those of the ledger below, for a check that is where it must be.
_CHECKS: Final = """
    SELECT check_id::text, creator_id::text, amount_minor, currency,
           substr(number, 1, 4) || '-' || substr(number, 5, 4) || '-' || substr(number, 9),
           CASE status WHEN 'used' THEN 'check_accepted' WHEN 'expired' THEN 'check_expired'
                       WHEN 'cancelled' THEN 'check_cancelled' END,
           CASE status WHEN 'used' THEN acceptor_id::text
                       WHEN 'expired' THEN creator_id::text WHEN 'cancelled' THEN creator_id::text END,
           status, tries, extract(epoch FROM now() - created_at)::bigint
      FROM checks {where} ORDER BY checks.check_id
"""
_CHECKS_SINCE: Final = """
    WHERE created_at >= %(since)s
       OR status IN ('used', 'expired', 'cancelled', 'rejected') AND closes_at >= %(since)s
"""

_LEDGER: Final = """
    SELECT h.subject_id::text, h.user_id::text, h.amount_minor, h.currency, h.reference, e.kind, e.user_id::text,
           h.outcome, encode(uuid_send(h.transfer_id), 'hex'), encode(uuid_send(e.transfer_id), 'hex')
      FROM transfers h LEFT JOIN transfers e ON e.closes_id = h.transfer_id
     WHERE h.kind = 'check_created' {where} ORDER BY h.subject_id
"""

_OPEN_EVENTS: Final = """
    SELECT o.payload->>'check_id', o.event_id::text, o.type,
           (o.payload->>'amount_minor', o.payload->>'currency', o.type,
            COALESCE(o.payload->>'acceptor_id', o.payload->>'creator_id'))
           IS NOT DISTINCT FROM
           (c.amount_minor::text, c.currency,
            CASE c.status WHEN 'used' THEN 'check.accepted.v1' ELSE 'check.' || c.status || '.v1' END,
            CASE c.status WHEN 'used' THEN c.acceptor_id::text ELSE c.creator_id::text END)
      FROM outbox o LEFT JOIN checks c ON c.check_id::text = o.payload->>'check_id'
     WHERE o.closed_at IS NULL AND o.payload ? 'check_id'
"""

_EVENT_TYPES: Final = {
    "used": CheckAccepted.TYPE, "expired": CheckExpired.TYPE, "cancelled": CheckCancelled.TYPE,
}  # fmt: skip
_STATUSES: Final = frozenset({"pending", "rejected", "active", *_EVENT_TYPES})
#: A check that is undecided for longer than this is reported separately from one that is being created.
_UNDECIDED_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class _Check:
    """A check as its service has it."""

    check_id: str
    creator_id: str
    amount_minor: int
    currency: str
    fastcheck: str
    ending: str | None
    owner_id: str | None
    status: str
    tries: int
    age_seconds: int

    def says(self, message: str) -> Finding:
        return Finding(RULE, f"check {self.check_id}", message)

    def on_its_way(self, reason: str) -> InFlight:
        return InFlight(f"check {self.check_id}", self.amount_minor, self.currency, reason)


@dataclass(frozen=True, slots=True)
class _Held:
    """A check as the ledger has it: the hold, and how it ended."""

    check_id: str
    user_id: str
    amount_minor: int
    currency: str
    reference: str
    ending: str | None
    ended_for: str | None
    outcome: str
    hold_id: str
    ending_id: str | None


def examine(sources: Sources, report: Report, *, since: datetime | None, low: int, dead: DeadEvents) -> Comparison:
    """Compare all, or what has changed since ``since``; what does not fit stays in ``doubtful`` for :func:`settle`."""
    comparison = Comparison()
    open_events = set()
    payloads = []
    for check_id, event_id, event_type, fits in sources.checks.rows(_OPEN_EVENTS):
        open_events.add(check_id)
        if not fits or event_id != str(derived_id(event_type, check_id)):
            payloads.append(Finding(PAYLOADS, f"event {event_id}", f"does not say what check {check_id} says"))
    report.apply(PAYLOADS, payloads)
    where = "AND (h.transfer_no > %(low)s OR e.transfer_no > %(low)s)" if since else ""
    pairs = side_by_side(
        sources.checks.stream(_CHECKS.format(where=_CHECKS_SINCE if since else ""), {"since": since}),
        sources.balance.stream(_LEDGER.format(where=where), {"low": low}),
        comparison.repeated(RULE, "check"),
    )
    for left, right in pairs:
        comparison.compared += 1
        if left is not None and right is not None and left[:7] == right[:7] and _plain(left, right):
            continue
        row = left or right
        if row is not None:
            comparison.doubtful[row[0]] = (left, right)
    _complete(sources, comparison, partly=since is not None)
    for check_id, (left, right) in list(comparison.doubtful.items()):
        verdict = _verdict(left, right, open_events, dead)
        if not isinstance(verdict, Finding):
            del comparison.doubtful[check_id]
            comparison.take(verdict)
    return comparison


def settle(sources: Sources, comparison: Comparison, dead: DeadEvents) -> None:
    """Decide the doubtful checks in a newer snapshot of checks, which the caller has taken."""

    def fetch(ids: Sequence[str]) -> list[Row]:
        return _some_checks(sources.checks, ids)

    def decide(_: str, a: Row | None, b: Row | None, seen: Row | None) -> Verdict:
        return _between(a, b, seen, dead)

    ask_again(comparison, fetch, decide)


def _plain(left: Row, right: Row) -> bool:
    """Whether a pair that is equal is also in order: an active or ended check with its hold, under their own ids."""
    return (
        left[7] in ("active", "used", "expired", "cancelled")
        and right[7] == "posted"
        and _ids_fit(right[0], right[8], right[5], right[9])
    )


def _ids_fit(check_id: str, hold_id: str, ending: str | None, ending_id: str | None) -> bool:
    """An id that its cause does not give would let the same cause be booked a second time."""
    return hold_id == derived_hex("check_created", check_id) and (
        ending is None or ending_id == derived_hex(ending, check_id)
    )


def _complete(sources: Sources, comparison: Comparison, *, partly: bool) -> None:
    """Where only a part was read, the other side of a pair may lie outside of it."""
    if not partly:
        return
    for ids in in_batches(comparison.doubtful):
        lefts = {row[0]: row for row in _some_checks(sources.checks, ids)}
        rights = {
            row[0]: row
            for row in sources.balance.rows(
                _LEDGER.format(where="AND h.subject_id = ANY(%(ids)s::uuid[])"), {"ids": ids}
            )
        }
        comparison.doubtful |= {key: (lefts.get(key), rights.get(key)) for key in ids}


def _some_checks(source: Source, ids: Sequence[str]) -> list[Row]:
    return source.rows(_CHECKS.format(where="WHERE check_id = ANY(%(ids)s::uuid[])"), {"ids": list(ids)})


def _verdict(left: Row | None, right: Row | None, open_events: set[str], dead: DeadEvents) -> Verdict:
    """Return what the older snapshot of checks alone implies about the ledger."""
    held = _Held(*right) if right else None
    if left is None:
        return _unknown(held) if held else None
    check = _Check(*left)
    if held is not None and (wrong := _other_particulars(check, held)):
        return wrong
    if held is None or held.outcome != "posted":
        return _not_held(check, held)
    return _held(check, held, open_events, dead)


def _held(check: _Check, held: _Held, open_events: set[str], dead: DeadEvents) -> Verdict:
    if check.status not in _STATUSES:
        return check.says(f"is {check.status}, which no check can be")
    if check.status == "rejected":
        return check.says(f"is rejected, but the ledger holds its {check.amount_minor} {check.currency}")
    if check.ending is None and held.ending is not None:
        return check.says(f"is {check.status}, but the ledger has paid it out ({held.ending} for {held.ended_for})")
    if check.status == "pending":
        return check.on_its_way(_pending(check, "held, not yet active"))
    if check.ending is not None and held.ending is None:
        if check.check_id in open_events:
            return check.on_its_way(f"{check.status}: its event is on the way")
        lost = dead.explain(_EVENT_TYPES[check.status], check.check_id)
        return check.says(f"is {check.status}, its money is still in escrow and no event is on the way{lost}")
    if (check.ending, check.owner_id) != (held.ending, held.ended_for):
        return check.says(f"is {check.status} for {check.owner_id}, the ledger has {held.ending} for {held.ended_for}")
    return None


def _unknown(held: _Held) -> Finding:
    what = f"holds {held.amount_minor} {held.currency} of {held.user_id}"
    if held.outcome != "posted":
        what = f"has refused {held.amount_minor} {held.currency} to {held.user_id}"
    return Finding(RULE, f"check {held.check_id}", f"the ledger {what} for this check, which nobody knows")


def _other_particulars(check: _Check, held: _Held) -> Finding | None:
    ours = (check.creator_id, check.amount_minor, check.currency, check.fastcheck)
    theirs = (held.user_id, held.amount_minor, held.currency, held.reference)
    if ours != theirs:
        return check.says(f"is {_told(ours)}, the ledger has {_told(theirs)}")
    if not _ids_fit(held.check_id, held.hold_id, held.ending, held.ending_id):
        return check.says(
            f"its transfers {held.hold_id} and {held.ending_id} do not have the ids of their cause: it could be booked"
            " a second time"
        )
    return None


def _told(particulars: tuple[Any, ...]) -> str:
    user_id, amount_minor, currency, number = particulars
    return f"{amount_minor} {currency} of {user_id} under {number}"


def _not_held(check: _Check, held: _Held | None) -> Verdict:
    if check.status == "pending":
        return check.on_its_way(_pending(check, "the hold is not decided yet" if held is None else "refused"))
    if check.status == "rejected":
        if held is None:
            return check.says(
                "is rejected, but the ledger has not refused its money: a late command could still take it"
            )
        return None
    refused = "has refused" if held else "never held"
    return check.says(f"is {check.status}, but the ledger {refused} its {check.amount_minor} {check.currency}")


def _pending(check: _Check, how: str) -> str:
    if check.age_seconds <= _UNDECIDED_SECONDS:
        return f"being created: {how}"
    return f"undecided for {check.age_seconds} s, balance was asked {check.tries} times: {how}"


def _between(a: Row | None, b: Row | None, seen: Row | None, dead: DeadEvents) -> Verdict:
    """Whether what the ledger shows lies on the way from the check as it was to the check as it is now."""
    before = _verdict(a, seen, set(), dead)
    if b is None or seen is None:
        return before  # nothing that came later can excuse it
    now = _verdict(b, seen, set(), dead)
    held, check = _Held(*seen), _Check(*b)
    if held.outcome != "posted":
        return _finding(now) if a is None else before
    if _other_particulars(check, held) or check.status == "rejected" or check.status not in _STATUSES:
        return now
    was_over = a is not None and a[5] is not None
    if held.ending is None:
        return before if was_over else None
    return _finding(now)


def _finding(verdict: Verdict) -> Finding | None:
    return verdict if isinstance(verdict, Finding) else None
