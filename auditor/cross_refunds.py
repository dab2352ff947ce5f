"""Refunds compared with the ledger: debited from the user once, and credited again if the bank rejects."""

from collections.abc import Mapping, Sequence
from typing import Final

from auditor.crossing import Comparison, Verdict, decide_doubtful, side_by_side
from auditor.digest import derived_hex
from auditor.findings import Finding, InFlight, Report
from auditor.sources import Row, Sources

RULE: Final = "the transfers of every refund match its status"
SUMS: Final = "the refunded amount of a top-up is the sum of its refunds"
STATUS: Final = "the status of a top-up matches its confirmation and refunds"
SURPLUS: Final = "every surplus payment has exactly one refund"

#: The first five columns are those of the ledger below.
_REFUNDS: Final = """
    SELECT r.refund_id::text, t.user_id::text, r.amount_minor, t.currency, r.topup_id::text,
           CASE WHEN r.was_credited THEN r.status ELSE 'surplus ' || r.status END
      FROM refunds r JOIN topups t USING (topup_id) {where} ORDER BY r.refund_id
"""

#: Per refund: the posted or rejected debit of the user, and the credit that returns it.
_LEDGER: Final = """
    SELECT subject_id::text, min(user_id::text), min(amount_minor), min(currency), min(reference),
           string_agg(kind || ' ' || outcome, ', ' ORDER BY kind DESC),
           count(DISTINCT (user_id, amount_minor, currency, reference)) = 1,
           array_agg(kind || ' ' || encode(uuid_send(transfer_id), 'hex'))
      FROM transfers
     WHERE kind = 'topup_refunded' OR kind = 'topup' AND reference <> subject_id::text
     GROUP BY subject_id ORDER BY subject_id
"""

#: A completed refund that is not counted violates the sum only, not the status.
_SUMS: Final = """
    SELECT * FROM (
        SELECT t.topup_id::text, t.status, t.refunded_minor, COALESCE(r.done, 0) AS done,
               CASE WHEN t.confirmed_at IS NULL
                    THEN CASE WHEN t.status IN ('pending', 'failed', 'expired') THEN t.status ELSE 'not confirmed' END
                    WHEN r.is_under_way THEN 'refund_pending'
                    WHEN t.refunded_minor = t.amount_minor THEN 'refunded'
                    WHEN t.refunded_minor > 0 THEN 'partly_refunded'
                    ELSE 'confirmed' END AS expected
          FROM topups t
          LEFT JOIN (SELECT topup_id, sum(amount_minor) FILTER (WHERE status = 'done') AS done,
                            bool_or(status IN ('requested', 'debited', 'returning')) AS is_under_way
                       FROM refunds WHERE was_credited GROUP BY topup_id) r
                USING (topup_id)) examined
     WHERE refunded_minor <> done OR status <> expected
"""

_SURPLUS: Final = """
    SELECT COALESCE(a.topup_id, r.topup_id)::text, COALESCE(a.bank_order_id, r.bank_order_id), a.topup_id IS NULL
      FROM (SELECT topup_id, bank_order_id FROM attempts WHERE state = 'surplus') a
      FULL JOIN (SELECT topup_id, bank_order_id FROM refunds WHERE NOT was_credited) r
           ON r.topup_id = a.topup_id AND r.bank_order_id = a.bank_order_id
     WHERE a.topup_id IS NULL OR r.topup_id IS NULL
"""

NOTHING: Final = ""
REFUSED: Final = "topup_refunded refused"
TAKEN: Final = "topup_refunded posted"
#: Surplus was never credited. If the bank rejects its refund, the user is credited.
GIVEN: Final = "topup posted"
TAKEN_AND_GIVEN_BACK: Final = "topup_refunded posted, topup posted"

#: The transfers that a refund in a status may have. Payments calls balance first and stores the response after it.
_MAY_SHOW: Final[Mapping[str, tuple[str, ...]]] = {
    "requested": (NOTHING, REFUSED, TAKEN),
    "debited": (TAKEN,),
    "returning": (TAKEN, TAKEN_AND_GIVEN_BACK),
    "done": (TAKEN,),
    "refused": (REFUSED,),
    "returned": (TAKEN_AND_GIVEN_BACK,),
    "surplus debited": (NOTHING,),
    "surplus returning": (NOTHING, GIVEN),
    "surplus done": (NOTHING,),
    "surplus returned": (GIVEN,),
}
#: The transfers that it may have if it reached the status after the ledger's snapshot.
_MAY_HAVE_SHOWN: Final[Mapping[str, tuple[str, ...]]] = {
    "requested": (NOTHING, REFUSED, TAKEN),
    "debited": (NOTHING, TAKEN),
    "returning": (NOTHING, TAKEN, TAKEN_AND_GIVEN_BACK),
    "done": (NOTHING, TAKEN),
    "refused": (NOTHING, REFUSED),
    "returned": (NOTHING, TAKEN, TAKEN_AND_GIVEN_BACK),
    "surplus debited": (NOTHING,),
    "surplus returning": (NOTHING, GIVEN),
    "surplus done": (NOTHING,),
    "surplus returned": (NOTHING, GIVEN),
}
_UNDER_WAY: Final[Mapping[str, str]] = {
    "requested": "refund requested: not debited yet",
    "debited": "refund debited from the balance: the bank has not confirmed yet",
    "returning": "refund rejected by the bank: not returned to the balance yet",
    "surplus debited": "surplus payment: not refunded to the card yet",
    "surplus returning": "refund of a surplus payment rejected by the bank: not credited to the balance yet",
}


def examine(sources: Sources, report: Report) -> Comparison:
    """Compare every refund. Mismatches stay in ``doubtful`` for :func:`settle`."""
    comparison = Comparison()
    _examine_topups(sources, report)
    for left, right in side_by_side(
        sources.payments.stream(_REFUNDS.format(where="")),
        sources.balance.stream(_LEDGER),
        comparison.repeated(RULE, "refund"),
    ):
        comparison.compared += 1
        verdict = _verdict(left, right, _MAY_SHOW)
        row = left or right
        if row is not None and isinstance(verdict, Finding):
            comparison.doubtful[row[0]] = (left, right)
        else:
            comparison.take(verdict)
    return comparison


def _examine_topups(sources: Sources, report: Report) -> None:
    """Compare each top-up with its refunds in the database of payments."""
    sums, statuses = [], []
    for topup_id, status, refunded, done, expected in sources.payments.rows(_SUMS):
        subject = f"top-up {topup_id}"
        if refunded != done:
            sums.append(Finding(SUMS, subject, f"has {refunded} as refunded, but its refunds sum to {done}"))
        if status != expected:
            statuses.append(Finding(STATUS, subject, f"is {status}, but must be {expected}"))
    report.apply(SUMS, sums)
    report.apply(STATUS, statuses)
    surplus = []
    for topup_id, order_id, is_refund in sources.payments.rows(_SURPLUS):
        what = "has a refund but is not surplus" if is_refund else "is surplus but has no refund"
        surplus.append(Finding(SURPLUS, f"top-up {topup_id}", f"the payment of order {order_id} {what}"))
    report.apply(SURPLUS, surplus)


def settle(sources: Sources, comparison: Comparison) -> None:
    """Decide the doubtful refunds in a newer snapshot of payments, which the caller has taken."""

    def fetch(ids: Sequence[str]) -> list[Row]:
        where = "WHERE r.refund_id = ANY(%(ids)s::uuid[])"
        return sources.payments.rows(_REFUNDS.format(where=where), {"ids": list(ids)})

    def decide(_: str, a: Row | None, b: Row | None, seen: Row | None) -> Verdict:
        if b is None or seen is None or (a is not None and a[5] == b[5]):
            return _verdict(a, seen, _MAY_SHOW)
        return _verdict(b, seen, _MAY_HAVE_SHOWN)

    decide_doubtful(comparison, fetch, decide)


def _verdict(left: Row | None, right: Row | None, may_show: Mapping[str, tuple[str, ...]]) -> Verdict:
    if left is None:
        return _unknown(right) if right else None
    refund_id, _, amount, currency, topup_id, status = left
    shown = right[5] if right else NOTHING
    if right is not None and (left[:5] != right[:5] or not right[6]):
        return _wrong(refund_id, f"has {amount} {currency} of top-up {topup_id}, but the ledger has other values")
    if right is not None and (wrong := _false_ids(right)):
        return _wrong(refund_id, f"{wrong} does not have the id of its cause: it could be posted twice")
    if shown not in may_show.get(status, ()):
        return _wrong(refund_id, f"of {amount} {currency} is {status}, but the ledger has {shown or 'no transfer'}")
    if status in _UNDER_WAY:
        return InFlight(f"refund {refund_id}", amount, currency, _UNDER_WAY[status])
    return None


def _unknown(right: Row) -> Finding:
    return _wrong(right[0], f"the ledger has {right[5]} of {right[2]} {right[3]} for it, but it does not exist")


def _false_ids(right: Row) -> str:
    return ", ".join(move for move in right[7] if move.split(" ")[1] != derived_hex(move.split(" ")[0], right[0]))


def _wrong(refund_id: str, message: str) -> Finding:
    return Finding(RULE, f"refund {refund_id}", message)
