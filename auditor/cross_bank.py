"""Payments compared with the bank's own records, where those can be read."""

from collections.abc import Sequence
from typing import Final

from auditor.crossing import Comparison, Verdict, decide_doubtful, side_by_side
from auditor.findings import Finding, InFlight, Report
from auditor.sources import Row, Source, Sources

RULE: Final = "an order is confirmed if and only if the bank has its payment"

#: Column 6 (``is_confirmed``): surplus that the bank rejected was credited to the user, so it counts as confirmed.
#: Column 8 (``is_polled``): the schedule will poll the bank or is refunding a surplus, so a lost report does no harm.
#: Column 9 (``refunding``): amounts that the bank may have refunded without a stored response.
_OURS: Final = """
    SELECT (a.bank || ' ' || a.bank_order_id) COLLATE "C", t.topup_id::text, t.amount_minor, t.currency, t.status,
           a.state = 'paid' AND t.confirmed_at IS NOT NULL OR s.status IS NOT DISTINCT FROM 'returned',
           CASE WHEN s.status IS NULL THEN t.refunded_minor ELSE 0 END,
           t.next_poll_at IS NOT NULL OR t.status = 'pending' OR COALESCE(s.status IN ('debited', 'returning'), false),
           COALESCE(r.amount_minor, 0), a.bank_payment_id
      FROM attempts a JOIN topups t USING (topup_id)
      LEFT JOIN refunds s ON s.topup_id = t.topup_id AND s.bank_order_id = a.bank_order_id AND NOT s.was_credited
      LEFT JOIN refunds r ON r.topup_id = t.topup_id AND r.bank_order_id = a.bank_order_id AND r.was_credited
                             AND r.status = 'debited'
           {where}
     ORDER BY 1
"""

_PAID: Final = """
    SELECT (protocol || ' ' || COALESCE(order_id, 'none, payment ' || public_id)) COLLATE "C",
           amount_minor, currency, state, refunded_minor, public_id
      FROM payments
     WHERE state IN ('CONFIRMED', 'PARTIAL_REFUNDED', 'REFUNDED')
     ORDER BY 1
"""

_REFUNDED: Final = 6
_BANK_REFUNDED: Final = 4


def examine(sources: Sources, bank: Source, report: Report) -> Comparison:
    """Compare every order. Mismatches stay in ``doubtful`` for :func:`settle`."""
    comparison = Comparison()
    for left, right in side_by_side(
        sources.payments.stream(_OURS.format(where="")), bank.stream(_PAID), comparison.repeated(RULE, "order")
    ):
        row = left or right
        if row is None or (right is None and left is not None and not left[5]):
            continue  # an order that neither side records as paid
        comparison.compared += 1
        verdict = _verdict(left, right)
        if isinstance(verdict, Finding):
            comparison.doubtful[row[0]] = (left, right)
        else:
            comparison.take(verdict)
    report.counts |= {"orders paid at the bank": comparison.compared}
    return comparison


def settle(sources: Sources, comparison: Comparison) -> None:
    """Decide the doubtful orders in a newer snapshot of payments, which the caller has taken."""

    def fetch(keys: Sequence[str]) -> list[Row]:
        where = "WHERE a.bank || ' ' || a.bank_order_id = ANY(%(keys)s)"
        return sources.payments.rows(_OURS.format(where=where), {"keys": list(keys)})

    def decide(_: str, a: Row | None, b: Row | None, seen: Row | None) -> Verdict:
        # Confirmed here and not there is always wrong. A payment that the bank had first may be confirmed here by now.
        return _verdict(a, seen) if seen is None else _verdict(_as_of(a, b, seen), seen)

    decide_doubtful(comparison, fetch, decide)


def _verdict(ours: Row | None, theirs: Row | None) -> Verdict:
    if ours is None:
        return _unknown(theirs) if theirs else None
    if theirs is None:
        _, topup_id, amount, currency, status = ours[:5]
        return _wrong(topup_id, f"is {status} with {amount} {currency}, but the bank has no such payment")
    return _confirmed(ours, theirs) if ours[5] else _unconfirmed(ours, theirs)


def _as_of(a: Row | None, b: Row | None, seen: Row) -> Row | None:
    """Return the newest row without refunds that are younger than the bank's snapshot. Refunds only grow."""
    if b is None:
        return a
    refunded = b[_REFUNDED]
    if refunded > seen[_BANK_REFUNDED] and (a is None or a[_REFUNDED] <= seen[_BANK_REFUNDED]):
        refunded = seen[_BANK_REFUNDED]
    return (*b[:_REFUNDED], refunded, *b[_REFUNDED + 1 :])


def _unknown(theirs: Row) -> Finding:
    key, amount, currency = theirs[:3]
    return Finding(RULE, f"order {key}", f"the bank has {amount} {currency} for an unknown order")


def _unconfirmed(ours: Row, theirs: Row) -> Verdict:
    _, topup_id, _, _, status, _, _, is_polled = ours[:8]
    _, amount, currency, state, refunded, payment = theirs
    if refunded == amount:
        return None
    if is_polled:
        return InFlight(f"top-up {topup_id}", amount, currency, "paid at the bank, not reported yet")
    return _wrong(topup_id, f"is {status}, but the bank has {amount} {currency} for it (payment {payment}, {state})")


def _confirmed(ours: Row, theirs: Row) -> Verdict:
    _, topup_id, amount, currency, _, _, refunded, _, refunding, payment_id = ours
    _, bank_amount, bank_currency, _, bank_refunded, bank_payment_id = theirs
    if (amount, currency) != (bank_amount, bank_currency):
        return _wrong(topup_id, f"has {amount} {currency}, but the bank has {bank_amount} {bank_currency}")
    if payment_id != bank_payment_id:
        return _wrong(
            topup_id, f"was paid by payment {payment_id}, but the bank has payment {bank_payment_id} for its order"
        )
    if refunded > bank_refunded:
        return _wrong(topup_id, f"{refunded} {currency} are recorded as refunded, but {bank_refunded} at the bank")
    if bank_refunded > refunded and bank_refunded == refunded + refunding:
        return InFlight(
            f"top-up {topup_id}", bank_refunded - refunded, currency, "refunded at the bank, not recorded yet"
        )
    if bank_refunded > refunded:
        return _wrong(topup_id, f"the bank refunded {bank_refunded} {currency}, but {refunded} are recorded")
    return None


def _wrong(topup_id: str, message: str) -> Finding:
    return Finding(RULE, f"top-up {topup_id}", message)
