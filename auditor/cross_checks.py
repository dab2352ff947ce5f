"""Checks compared with the ledger: each check's status matches its transfers, or its event is still open."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from auditor.crossing import Comparison, Verdict, decide_doubtful, in_batches, side_by_side
from auditor.dead import DeadEvents
from auditor.digest import derived_hex
from auditor.findings import Finding, InFlight, Report
from auditor.sources import Row, Source, Sources
from common.contracts.events import CheckAccepted, CheckCancelled, CheckExpired
from common.core.ids import derived_id

RULE: Final = "the transfers of every check match its status"
PAYLOADS: Final = "every open event of a check matches the check"

#: The first seven columns are equal to those of ``_LEDGER`` if the check matches the ledger.
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
     WHERE o.subscriber = 'balance' AND o.closed_at IS NULL AND o.payload ? 'check_id'
"""

_EVENT_TYPES: Final = {
    "used": CheckAccepted.TYPE, "expired": CheckExpired.TYPE, "cancelled": CheckCancelled.TYPE,
}  # fmt: skip
_STATUSES: Final = frozenset({"pending", "rejected", "active", *_EVENT_TYPES})
#: A check that is undecided for longer than this is reported separately from one that is being created.
_UNDECIDED_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class _Check:
    """A check in the database of checks."""

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

    def finding(self, message: str) -> Finding:
        return Finding(RULE, f"check {self.check_id}", message)

    def in_flight(self, reason: str) -> InFlight:
        return InFlight(f"check {self.check_id}", self.amount_minor, self.currency, reason)


@dataclass(frozen=True, slots=True)
class _Held:
    """A check in the ledger: its hold, and the transfer that closed it."""

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
    """Compare all checks, or those changed since ``since``. Mismatches stay in ``doubtful`` for :func:`settle`."""
    comparison = Comparison()
    open_events = set()
    payloads = []
    for check_id, event_id, event_type, fits in sources.checks.rows(_OPEN_EVENTS):
        open_events.add(check_id)
        if not fits or event_id != str(derived_id(event_type, check_id)):
            payloads.append(Finding(PAYLOADS, f"event {event_id}", f"differs from check {check_id}"))
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

    decide_doubtful(comparison, fetch, decide)


def _plain(left: Row, right: Row) -> bool:
    """Return whether equal rows need no further check: an active or ended check with a posted hold and derived ids."""
    return (
        left[7] in ("active", "used", "expired", "cancelled")
        and right[7] == "posted"
        and _ids_fit(right[0], right[8], right[5], right[9])
    )


def _ids_fit(check_id: str, hold_id: str, ending: str | None, ending_id: str | None) -> bool:
    """Return whether the ids derive from their causes. With other ids the same cause could be posted twice."""
    return hold_id == derived_hex("check_created", check_id) and (
        ending is None or ending_id == derived_hex(ending, check_id)
    )


def _complete(sources: Sources, comparison: Comparison, *, partly: bool) -> None:
    """In a partial audit, read the rows of doubtful pairs that lie outside of the part."""
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
    """Compare one check in the older snapshot of checks with the ledger."""
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
        return check.finding(f"has the unknown status {check.status}")
    if check.status == "rejected":
        return check.finding(f"is rejected, but the ledger holds its {check.amount_minor} {check.currency}")
    if check.ending is None and held.ending is not None:
        return check.finding(f"is {check.status}, but the ledger closed its hold ({held.ending} for {held.ended_for})")
    if check.status == "pending":
        return check.in_flight(_pending(check, "held, not yet active"))
    if check.ending is not None and held.ending is None:
        if check.check_id in open_events:
            return check.in_flight(f"{check.status}: its event is not processed yet")
        lost = dead.explain(_EVENT_TYPES[check.status], check.check_id)
        return check.finding(f"is {check.status}, but its money is still in escrow and no event is open{lost}")
    if (check.ending, check.owner_id) != (held.ending, held.ended_for):
        return check.finding(
            f"is {check.status} for {check.owner_id}, but the ledger has {held.ending} for {held.ended_for}"
        )
    return None


def _unknown(held: _Held) -> Finding:
    what = f"holds {held.amount_minor} {held.currency} of {held.user_id}"
    if held.outcome != "posted":
        what = f"rejected a hold of {held.amount_minor} {held.currency} by {held.user_id}"
    return Finding(RULE, f"check {held.check_id}", f"the ledger {what} for this check, which does not exist")


def _other_particulars(check: _Check, held: _Held) -> Finding | None:
    ours = (check.creator_id, check.amount_minor, check.currency, check.fastcheck)
    theirs = (held.user_id, held.amount_minor, held.currency, held.reference)
    if ours != theirs:
        return check.finding(f"has {_described(ours)}, but the ledger has {_described(theirs)}")
    if not _ids_fit(held.check_id, held.hold_id, held.ending, held.ending_id):
        return check.finding(
            f"its transfers {held.hold_id} and {held.ending_id} do not have the ids of their cause: it could be posted"
            " twice"
        )
    return None


def _described(particulars: tuple[Any, ...]) -> str:
    user_id, amount_minor, currency, number = particulars
    return f"{amount_minor} {currency} of {user_id} under {number}"


def _not_held(check: _Check, held: _Held | None) -> Verdict:
    if check.status == "pending":
        return check.in_flight(
            _pending(check, "the hold is not decided yet" if held is None else "the hold is rejected")
        )
    if check.status == "rejected":
        if held is None:
            return check.finding(
                "is rejected, but the ledger did not reject its hold: a late request could still hold the money"
            )
        return None
    refused = "rejected a hold of" if held else "did not hold"
    return check.finding(f"is {check.status}, but the ledger {refused} {check.amount_minor} {check.currency}")


def _pending(check: _Check, how: str) -> str:
    if check.age_seconds <= _UNDECIDED_SECONDS:
        return f"being created: {how}"
    return f"undecided for {check.age_seconds} s after {check.tries} attempts at balance: {how}"


def _between(a: Row | None, b: Row | None, seen: Row | None, dead: DeadEvents) -> Verdict:
    """Return whether the ledger's state lies between the check's older and newer status."""
    before = _verdict(a, seen, set(), dead)
    if b is None or seen is None:
        return before  # a later change cannot explain it
    now = _verdict(b, seen, set(), dead)
    held, check = _Held(*seen), _Check(*b)
    if held.outcome != "posted":
        return _finding(now) if a is None else before
    if _other_particulars(check, held) or check.status == "rejected" or check.status not in _STATUSES:
        return now
    had_ended = a is not None and a[5] is not None
    if held.ending is None:
        return before if had_ended else None
    return _finding(now)


def _finding(verdict: Verdict) -> Finding | None:
    return verdict if isinstance(verdict, Finding) else None
