"""The rules within the ledger, verified on one snapshot.

Each query reads a table once and uses hash joins, so the time grows linearly with the books. With a later start, only
transfers with higher numbers are read; the earlier ones are assumed to be verified.
"""

from typing import Final

from auditor.chain import Start
from auditor.digest import TRANSFER_DIGEST
from auditor.findings import Finding, Report
from auditor.sources import Row, Source

BALANCED: Final = "every transfer has two entries that sum to zero"
FITTING: Final = "every entry is on the accounts of its transfer"
SEALED: Final = "every sealed transfer is unchanged"

#: Transfers that violate a rule, with one flag for each of the three rules.
_TRANSFERS: Final = f"""
    SELECT * FROM (
        SELECT t.transfer_no, t.transfer_id::text, t.kind, t.outcome, t.amount_minor, t.currency, t.user_id::text,
               u.entry_id, u.amount_minor, u.currency, u.account_id::text,
               s.entry_id, s.amount_minor, s.currency, s.account_id::text, l.block_no, l.hash IS NULL,
               CASE WHEN t.outcome = 'posted'
                    THEN (u.amount_minor + s.amount_minor = 0 AND abs(u.amount_minor) = t.amount_minor
                          AND u.currency = t.currency AND s.currency = t.currency) IS TRUE
                    ELSE u.entry_id IS NULL AND s.entry_id IS NULL END AS balanced,
               t.outcome <> 'posted' OR u.entry_id IS NULL OR s.entry_id IS NULL
               OR ((ua.kind, ua.user_id, ua.currency) = ('user', t.user_id, u.currency)
                   AND (sa.kind, sa.currency)
                       = (CASE WHEN t.kind IN ('topup', 'topup_refunded') THEN 'bank' ELSE 'escrow' END, s.currency)
                   AND (u.amount_minor < 0) = (t.kind IN ('check_created', 'topup_refunded'))) IS TRUE AS fitting,
               CASE WHEN l.hash IS NULL THEN t.transfer_no > %(sealed_upto)s
                    ELSE l.hash = {TRANSFER_DIGEST} END AS sealed
          FROM transfers t
          LEFT JOIN entries u ON u.transfer_id = t.transfer_id AND u.balance_after IS NOT NULL
          LEFT JOIN entries s ON s.transfer_id = t.transfer_id AND s.balance_after IS NULL
          LEFT JOIN accounts ua ON ua.account_id = u.account_id
          LEFT JOIN accounts sa ON sa.account_id = s.account_id
          LEFT JOIN chain_links l ON l.transfer_id = t.transfer_id
         WHERE t.transfer_no > %(low)s) examined
     WHERE NOT (balanced AND fitting AND sealed)
"""  # noqa: S608

_ENTRY_COUNT: Final = """
    SELECT (SELECT count(*) FROM entries), 2 * count(*) FILTER (WHERE outcome = 'posted'), count(*) FROM transfers
"""

_ENTRIES_WITH_TRANSFER: Final = """
    SELECT e.entry_id, e.transfer_id::text, e.account_id::text, e.amount_minor, e.currency, t.kind, t.outcome,
           count(*) OVER (PARTITION BY e.transfer_id)
      FROM entries e LEFT JOIN transfers t USING (transfer_id)
"""
#: A surplus entry can offset a missing one in the counts, so all are read if the counts differ or a rule is violated.
_SURPLUS_ENTRIES: Final = f"""
    SELECT * FROM ({_ENTRIES_WITH_TRANSFER})
           x (entry_id, transfer_id, account_id, amount_minor, currency, kind, outcome, legs)
     WHERE outcome IS DISTINCT FROM 'posted' OR legs > 2 ORDER BY entry_id
"""  # noqa: S608
_SURPLUS_ENTRIES_SINCE: Final = f"""
    SELECT * FROM ({_ENTRIES_WITH_TRANSFER}
         WHERE e.entry_id >= (SELECT min(f.entry_id) FROM entries f JOIN transfers USING (transfer_id)
                               WHERE transfer_no > %(low)s))
           x (entry_id, transfer_id, account_id, amount_minor, currency, kind, outcome, legs)
     WHERE outcome IS DISTINCT FROM 'posted' OR legs > 2 ORDER BY entry_id
"""  # noqa: S608

_ENTRIES: Final = "(SELECT e.* FROM entries e JOIN transfers USING (transfer_id) WHERE transfer_no > %(low)s)"

#: Rule -> query that returns violations as (subject, message). ``{entries}``: the entries that the audit covers.
RULES: Final[dict[str, str]] = {
    "every balance equals its entries": """
        SELECT 'account ' || a.account_id,
               format('user %%s has a balance of %%s %%s, the entries sum to %%s', a.user_id, a.balance_minor,
                      a.currency, COALESCE(e.total, 0))
          FROM accounts a
          LEFT JOIN (SELECT account_id, sum(amount_minor) AS total FROM entries GROUP BY account_id) e
                USING (account_id)
         WHERE a.kind = 'user' AND a.balance_minor IS DISTINCT FROM COALESCE(e.total, 0)
    """,
    "every balance after an entry follows from the entry before": """
        SELECT 'entry ' || entry_id,
               format('has the balance %%s on account %%s, but the entry before it and its amount make %%s',
                      balance_after, account_id, expected)
          FROM (SELECT entry_id, account_id, balance_after,
                       COALESCE(lag(balance_after) OVER (PARTITION BY account_id ORDER BY entry_id),
                                (SELECT p.balance_after FROM entries p
                                  WHERE p.account_id = e.account_id AND p.entry_id < e.entry_id
                                    AND p.balance_after IS NOT NULL
                                  ORDER BY p.entry_id DESC LIMIT 1), 0) + amount_minor AS expected
                  FROM {entries} e WHERE balance_after IS NOT NULL) steps
         WHERE balance_after <> expected OR balance_after < 0
    """,
    "every settlement and release closes its own hold, and a release returns the money to its owner": """
        SELECT 'transfer ' || t.transfer_id,
               format('%%s of %%s %%s for user %%s closes a hold of %%s %%s by user %%s (%%s)', t.kind,
                      t.amount_minor, t.currency, t.user_id, h.amount_minor, h.currency, h.user_id, h.outcome)
          FROM transfers t
          LEFT JOIN transfers h ON h.transfer_id = t.closes_id
         WHERE t.transfer_no > %(low)s AND t.closes_id IS NOT NULL
           AND ((h.kind, h.outcome, h.subject_id, h.amount_minor, h.currency)
                IS DISTINCT FROM ('check_created', 'posted', t.subject_id, t.amount_minor, t.currency)
                OR t.outcome <> 'posted' OR t.kind NOT IN ('check_accepted', 'check_expired', 'check_cancelled')
                OR (t.kind <> 'check_accepted' AND t.user_id <> h.user_id))
         UNION ALL
        SELECT 'transfer ' || transfer_id, format('%%s of %%s %%s closes no hold', kind, amount_minor, currency)
          FROM transfers
         WHERE transfer_no > %(low)s AND closes_id IS NULL
           AND kind IN ('check_accepted', 'check_expired', 'check_cancelled')
    """,
    "every hold is closed at most once": """
        SELECT 'transfer ' || closes_id, format('this hold is closed %%s times', count(*))
          FROM transfers WHERE closes_id IS NOT NULL GROUP BY closes_id HAVING count(*) > 1
    """,
    "the escrow balance equals the open holds": """
        SELECT 'escrow ' || COALESCE(e.currency, h.currency),
               format('holds %%s, the open holds sum to %%s', COALESCE(e.total, 0), COALESCE(h.total, 0))
          FROM (SELECT a.currency, sum(e.total) AS total
                  FROM (SELECT account_id, sum(amount_minor) AS total FROM entries
                         WHERE balance_after IS NULL GROUP BY account_id) e
                  JOIN accounts a USING (account_id) WHERE a.kind = 'escrow' GROUP BY a.currency) e
          FULL JOIN (SELECT h.currency, sum(h.amount_minor) AS total
                       FROM transfers h
                      WHERE h.kind = 'check_created' AND h.outcome = 'posted'
                        AND NOT EXISTS (SELECT 1 FROM transfers t WHERE t.closes_id = h.transfer_id)
                      GROUP BY h.currency) h ON h.currency = e.currency
         WHERE COALESCE(e.total, 0) <> COALESCE(h.total, 0)
    """,
}

#: Queries that replace those of RULES in a partial audit. None: the rule needs all books.
_RULES_SINCE: Final[dict[str, str | None]] = {
    "every balance equals its entries": """
        SELECT 'account ' || a.account_id,
               format('user %%s has a balance of %%s %%s, the last entry leaves %%s', a.user_id, a.balance_minor,
                      a.currency, last.balance_after)
          FROM (SELECT DISTINCT account_id FROM {entries} e WHERE balance_after IS NOT NULL) moved
          JOIN accounts a USING (account_id)
         CROSS JOIN LATERAL (SELECT balance_after FROM entries e
                              WHERE e.account_id = a.account_id AND e.balance_after IS NOT NULL
                              ORDER BY entry_id DESC LIMIT 1) last
         WHERE a.balance_minor IS DISTINCT FROM last.balance_after
    """,
    "the escrow balance equals the open holds": None,
}

_TOTALS: Final = """
    SELECT a.kind, a.currency, sum(e.total)::bigint, sum(e.entries)::bigint
      FROM (SELECT account_id, sum(amount_minor) AS total, count(*) AS entries FROM entries GROUP BY account_id) e
      JOIN accounts a USING (account_id) GROUP BY a.kind, a.currency
"""


def examine(ledger: Source, report: Report, start: Start) -> None:
    """Apply every rule to the transfers after ``start``. Sealed transfers must match the chain."""
    sealed_upto = report.head.last_no if report.head else 0
    parameters = {"low": start.low, "sealed_upto": sealed_upto}
    wrong = ledger.rows(_TRANSFERS, parameters)
    entries, expected, transfers = ledger.rows(_ENTRY_COUNT)[0]
    surplus: list[Row] = []
    if start.is_partial:
        surplus = ledger.rows(_SURPLUS_ENTRIES_SINCE, parameters)
    elif wrong or entries != expected:
        surplus = ledger.rows(_SURPLUS_ENTRIES)
    report.apply(BALANCED, [*(_unbalanced(row) for row in wrong if not row[17]), *map(_surplus, surplus)])
    report.apply(FITTING, (_misplaced(row) for row in wrong if not row[18]))
    report.apply(SEALED, (_unsealed(row, sealed_upto) for row in wrong if not row[19]))
    for rule, query in RULES.items():
        chosen = _RULES_SINCE.get(rule, query) if start.is_partial else query
        if chosen is None:
            continue
        violations = ledger.rows(chosen.format(entries=_ENTRIES if start.is_partial else "entries"), parameters)
        report.apply(rule, (Finding(rule, subject, message) for subject, message in violations))
    report.counts |= {"transfers": transfers, "entries": entries}
    if not start.is_partial:
        for kind, currency, total, _ in ledger.rows(_TOTALS):
            report.totals.setdefault(kind, {})[currency] = total


def _unbalanced(row: Row) -> Finding:
    _, transfer_id, kind, outcome, amount, currency = row[:6]
    legs = " and ".join(f"{row[i + 1]} {row[i + 2]}" for i in (7, 11) if row[i] is not None) or "no entries"
    return Finding(
        BALANCED,
        f"transfer {transfer_id}",
        f"{kind} of {amount} {currency}, {outcome}, has {legs}",
    )


def _surplus(row: Row) -> Finding:
    entry_id, transfer_id, account_id, amount, currency, kind, outcome, legs = row
    whose = f"a {outcome} {kind} with {legs} entries" if outcome else "a transfer that does not exist"
    return Finding(
        BALANCED,
        f"entry {entry_id}",
        f"posts {amount} {currency} to account {account_id} for transfer {transfer_id}, {whose}",
    )


def _misplaced(row: Row) -> Finding:
    _, transfer_id, kind, _, amount, currency, user_id = row[:7]
    return Finding(
        FITTING,
        f"transfer {transfer_id}",
        f"{kind} of {amount} {currency} for user {user_id} does not belong on account {row[10]} (entry {row[7]},"
        f" {row[8]} {row[9]}) and account {row[14]} (entry {row[11]}, {row[12]} {row[13]})",
    )


def _unsealed(row: Row, sealed_upto: int) -> Finding:
    number, transfer_id, kind, outcome, amount, currency, user_id = row[:7]
    what = f"{kind} of {amount} {currency} for user {user_id}, {outcome}, no. {number},"
    if row[16]:
        message = f"{what} was inserted later: everything up to no. {sealed_upto} is sealed without it"
    else:
        message = f"{what} differs from what block {row[15]} sealed: the transfer or one of its entries was changed"
    return Finding(SEALED, f"transfer {transfer_id}", message)
