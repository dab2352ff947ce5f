"""Payments compared with the ledger: users are credited exactly what the banks confirmed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from auditor.crossing import Comparison, Verdict, decide_doubtful, in_batches, side_by_side
from auditor.dead import DeadEvents
from auditor.digest import derived_hex
from auditor.findings import Finding, InFlight, Report
from auditor.sources import Row, Source, Sources
from common.contracts.events import PaymentConfirmed
from common.core.ids import derived_id

RULE: Final = "confirmed payments equal credited payments"
PAYLOADS: Final = "every open event of a top-up matches the top-up"
REPORTED: Final = "a top-up is confirmed if and only if the bank reported it as paid"

#: The first five columns are those of the ledger below.
_TOPUPS: Final = """
    SELECT topup_id::text, user_id::text, amount_minor, currency, topup_id::text, status
      FROM topups WHERE confirmed_at IS NOT NULL {where} ORDER BY topups.topup_id
"""

#: A rejected refund is returned as a credit too. Its cause is the refund, see ``cross_refunds``.
_CREDITS: Final = """
    SELECT subject_id::text, user_id::text, amount_minor, currency, reference, encode(uuid_send(transfer_id), 'hex')
      FROM transfers WHERE kind = 'topup' AND outcome = 'posted' AND reference = subject_id::text {where}
     ORDER BY transfers.subject_id
"""

_OPEN_EVENTS: Final = """
    SELECT o.payload->>'topup_id', o.event_id::text, o.type,
           (o.payload->>'amount_minor', o.payload->>'currency', o.payload->>'user_id')
           IS NOT DISTINCT FROM (t.amount_minor::text, t.currency, t.user_id::text) AND t.confirmed_at IS NOT NULL
      FROM outbox o LEFT JOIN topups t ON t.topup_id::text = o.payload->>'topup_id'
     WHERE o.subscriber = 'balance' AND o.closed_at IS NULL AND o.payload ? 'topup_id'
"""

#: The statuses with which each bank reports a paid payment. For other banks, any applied notification counts.
_REPORTS_PAID: Final = """
    (bank, bank_status) IN (('tbank', 'CONFIRMED'), ('tbank', 'REFUNDING'), ('yookassa', 'succeeded'),
                            ('sber', 'deposited'), ('sber', '2'))
    OR bank NOT IN ('tbank', 'yookassa', 'sber')
"""
#: Notifications are purged after 400 days.
_NOTIFICATIONS_RETAINED: Final = "390 days"

_UNREPORTED: Final = f"""
    SELECT t.topup_id::text, t.status, t.amount_minor, t.currency, t.confirmed_at IS NOT NULL,
           COALESCE(a.paid, 0), n.reported, n.reported_currency
      FROM topups t
      LEFT JOIN (SELECT topup_id, count(*) AS paid FROM attempts WHERE state = 'paid' GROUP BY topup_id) a
            USING (topup_id)
      LEFT JOIN (SELECT topup_id, max(amount_minor) AS reported, min(amount_minor) AS least_reported,
                        max(currency) AS reported_currency
                   FROM notifications WHERE verdict = 'applied' AND ({_REPORTS_PAID}) GROUP BY topup_id) n
            USING (topup_id)
      LEFT JOIN (SELECT DISTINCT topup_id, true AS by_the_bank FROM notifications WHERE verdict = 'unexpected_refund')
            refunded USING (topup_id)
     WHERE (%(since)s::timestamptz IS NULL OR t.confirmed_at >= %(since)s OR t.confirmed_at IS NULL)
       AND CASE WHEN t.confirmed_at IS NOT NULL
                THEN a.paid IS DISTINCT FROM 1
                     OR t.confirmed_at > now() - interval '{_NOTIFICATIONS_RETAINED}'
                        AND ((n.reported, n.least_reported) IS DISTINCT FROM (t.amount_minor, t.amount_minor)
                             OR COALESCE(n.reported_currency, t.currency) <> t.currency)
                ELSE n.reported IS NOT NULL OR a.paid > 0 AND refunded.by_the_bank IS NULL END
     ORDER BY t.topup_id
"""  # noqa: S608


def examine(sources: Sources, report: Report, *, since: datetime | None, low: int, dead: DeadEvents) -> Comparison:
    """Compare all top-ups, or those changed since ``since``. Mismatches stay in ``doubtful`` for :func:`settle`."""
    comparison = Comparison()
    open_events = set()
    payloads = []
    for topup_id, event_id, event_type, fits in sources.payments.rows(_OPEN_EVENTS):
        open_events.add(topup_id)
        if not fits or event_id != str(derived_id(event_type, topup_id)):
            payloads.append(Finding(PAYLOADS, f"event {event_id}", f"differs from top-up {topup_id}"))
    report.apply(PAYLOADS, payloads)
    report.apply(REPORTED, map(_unreported, sources.payments.rows(_UNREPORTED, {"since": since})))
    pairs = side_by_side(
        sources.payments.stream(
            _TOPUPS.format(where="AND confirmed_at >= %(since)s" if since else ""), {"since": since}
        ),
        sources.balance.stream(_CREDITS.format(where="AND transfer_no > %(low)s" if since else ""), {"low": low}),
        comparison.repeated(RULE, "top-up"),
    )
    for left, right in pairs:
        comparison.compared += 1
        if left is not None and right is not None and left[:5] == right[:5] and _id_fits(right):
            continue
        row = left or right
        if row is not None:
            comparison.doubtful[row[0]] = (left, right)
    if since is not None:
        _complete(sources, comparison)
    for topup_id, (left, right) in list(comparison.doubtful.items()):
        verdict = _verdict(left, right, open_events, dead)
        if not isinstance(verdict, Finding):
            del comparison.doubtful[topup_id]
            comparison.take(verdict)
    return comparison


def settle(sources: Sources, comparison: Comparison, dead: DeadEvents) -> None:
    """Decide the doubtful top-ups in a newer snapshot of payments, which the caller has taken."""

    def fetch(ids: Sequence[str]) -> list[Row]:
        return _some_topups(sources.payments, ids)

    def decide(_: str, a: Row | None, b: Row | None, seen: Row | None) -> Verdict:
        if a is None and b is not None and seen is not None:
            # Confirmed since: the ledger was ahead of the first snapshot.
            return _verdict(b, seen, set(), dead)
        return _verdict(a, seen, set(), dead)

    decide_doubtful(comparison, fetch, decide)


def _complete(sources: Sources, comparison: Comparison) -> None:
    for ids in in_batches(comparison.doubtful):
        lefts = {row[0]: row for row in _some_topups(sources.payments, ids)}
        rights = {
            row[0]: row
            for row in sources.balance.rows(
                _CREDITS.format(where="AND subject_id = ANY(%(ids)s::uuid[])"), {"ids": ids}
            )
        }
        comparison.doubtful |= {key: (lefts.get(key), rights.get(key)) for key in ids}


def _some_topups(source: Source, ids: Sequence[str]) -> list[Row]:
    return source.rows(_TOPUPS.format(where="AND topup_id = ANY(%(ids)s::uuid[])"), {"ids": list(ids)})


def _id_fits(right: Row) -> bool:
    """Return whether the id derives from its cause. With another id the same cause could be posted twice."""
    return bool(right[5] == derived_hex("topup", right[0]))


def _verdict(left: Row | None, right: Row | None, open_events: set[str], dead: DeadEvents) -> Verdict:
    if left is None:
        if right is None:
            return None
        topup_id, user_id, amount, currency = right[:4]
        return _wrong(topup_id, f"the ledger credited {amount} {currency} to {user_id}, but no bank confirmed it")
    topup_id, user_id, amount, currency, _, status = left
    if right is None:
        if topup_id in open_events:
            return InFlight(f"top-up {topup_id}", amount, currency, "confirmed: its event is not processed yet")
        lost = dead.explain(PaymentConfirmed.TYPE, topup_id)
        return _wrong(topup_id, f"is {status} with {amount} {currency} for {user_id}, but was not credited{lost}")
    if left[:5] != right[:5]:
        return _wrong(
            topup_id,
            f"has {amount} {currency} for {user_id}, but the ledger credited {right[2]} {right[3]} to {right[1]} for"
            f" {right[4]}",
        )
    if not _id_fits(right):
        return _wrong(topup_id, f"its transfer {right[5]} does not have the id of its cause: it could be posted twice")
    return None


def _unreported(row: Row) -> Finding:
    topup_id, status, amount, currency, confirmed, paid, reported, reported_currency = row
    subject, report = f"top-up {topup_id}", f"the bank reported {reported} {reported_currency or currency}"
    if not confirmed:
        return Finding(
            REPORTED, subject, f"is {status}, but {f'{report} as paid' if reported else 'an attempt is paid'}"
        )
    if paid != 1:
        return Finding(REPORTED, subject, f"is {status}, but {paid} of its attempts are paid")
    what = report if reported else "no report of the bank confirms it"
    return Finding(REPORTED, subject, f"is {status} with {amount} {currency}, but {what}")


def _wrong(topup_id: str, message: str) -> Finding:
    return Finding(RULE, f"top-up {topup_id}", message)
