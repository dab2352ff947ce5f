"""The payments against the ledger: what the bank has confirmed is what users were credited."""

from collections.abc import Iterable
from typing import Any, Final

from cli.audit.findings import Finding, InFlight
from cli.audit.merge import side_by_side
from cli.audit.sources import Sources

RULE: Final = "confirmed payments equal credited payments"

#: Statuses of a top-up in which the bank's money has been credited to the user.
CREDITED: Final = ("confirmed", "refund_pending", "refunded", "partly_refunded")

_TOPUPS: Final = """
    SELECT topup_id::text, user_id::text, amount_minor, currency, status
      FROM topups WHERE status = ANY('{{{credited}}}') {where} ORDER BY topup_id
"""

_CREDITS: Final = """
    SELECT subject_id::text, user_id::text, amount_minor, currency
      FROM transfers WHERE kind = 'topup' AND outcome = 'posted' {where} ORDER BY subject_id
"""

_OPEN_EVENTS: Final = """
    SELECT payload->>'topup_id' FROM outbox WHERE closed_at IS NULL AND payload ? 'topup_id'
"""

Verdict = Finding | InFlight | None


def compare_all(sources: Sources) -> tuple[list[Verdict], int, list[str]]:
    """Compare every top-up; returns verdicts that are in order, the number compared, and the ids to look at again."""
    open_events = {row[0] for row in sources.payments.rows(_OPEN_EVENTS)}
    settled: list[Verdict] = []
    doubtful: list[str] = []
    count = 0
    pairs = side_by_side(sources.payments.stream(_topups("")), sources.balance.stream(_CREDITS.format(where="")))
    for left, right in pairs:
        count += 1
        verdict = _verdict(left, right, open_events)
        if isinstance(verdict, Finding):
            doubtful.append(verdict.subject.removeprefix("top-up "))
        elif verdict is not None:
            settled.append(verdict)
    return settled, count, doubtful


def compare_some(sources: Sources, topup_ids: Iterable[str]) -> list[Verdict]:
    """Compare these top-ups alone."""
    ids = [list(topup_ids)]
    open_events = {row[0] for row in sources.payments.rows(_OPEN_EVENTS)}
    pairs = side_by_side(
        sources.payments.rows(_topups("AND topup_id = ANY(%s::uuid[])"), ids),
        sources.balance.rows(_CREDITS.format(where="AND subject_id = ANY(%s::uuid[])"), ids),
    )
    return [_verdict(left, right, open_events) for left, right in pairs]


def _topups(where: str) -> str:
    return _TOPUPS.format(credited=",".join(CREDITED), where=where)


def _verdict(left: tuple[Any, ...] | None, right: tuple[Any, ...] | None, open_events: set[str]) -> Verdict:
    if left is None and right is not None:
        topup_id, user_id, amount_minor, currency = right
        return _wrong(topup_id, f"the ledger has credited {amount_minor} {currency} to {user_id}, no bank confirmed it")
    if left is None:
        return None
    topup_id, user_id, amount_minor, currency, status = left
    if right is None:
        if topup_id in open_events:
            return InFlight(f"top-up {topup_id}", amount_minor, currency, "confirmed: its event is on the way")
        return _wrong(
            topup_id, f"is {status} by the bank, {amount_minor} {currency} for {user_id}, and was never credited"
        )
    if right[1:] != (user_id, amount_minor, currency):
        return _wrong(
            topup_id,
            f"is of {amount_minor} {currency} for {user_id}, the ledger credited {right[2]} {right[3]} to {right[1]}",
        )
    return None


def _wrong(topup_id: str, message: str) -> Finding:
    return Finding(RULE, f"top-up {topup_id}", message)
