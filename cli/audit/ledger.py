"""Rules that the ledger must keep by itself, proved from one picture of it."""

from typing import Final

from cli.audit.findings import MAX_FINDINGS_PER_RULE, Finding, Report
from cli.audit.sources import Source

#: Rule -> a query whose every row is a violation: (subject, message).
RULES: Final[dict[str, str]] = {
    "every transfer has two entries that sum to zero": """
        SELECT COALESCE(t.transfer_id, e.transfer_id)::text,
               format('transfer %s of %s %s has %s entries that sum to %s (largest %s, currencies %s..%s)',
                      COALESCE(t.kind || ' ' || t.outcome, 'without a row'), t.amount_minor, t.currency,
                      COALESCE(e.legs, 0), COALESCE(e.total, 0), e.moved, e.low_currency, e.high_currency)
          FROM transfers t
          FULL JOIN (SELECT transfer_id, sum(amount_minor) AS total, max(amount_minor) AS moved, count(*) AS legs,
                            min(currency) AS low_currency, max(currency) AS high_currency
                       FROM entries GROUP BY transfer_id) e USING (transfer_id)
         WHERE t.transfer_id IS NULL
            OR (t.outcome = 'refused' AND e.transfer_id IS NOT NULL)
            OR (t.outcome = 'posted' AND (e.legs, e.total, e.moved, e.low_currency, e.high_currency)
                IS DISTINCT FROM (2::bigint, 0::numeric, t.amount_minor, t.currency, t.currency))
    """,
    "every entry is on an account that fits its transfer": """
        SELECT 'entry ' || e.entry_id,
               format('account %s (%s %s) cannot carry a leg of transfer %s (%s %s)', e.account_id, a.kind, a.currency,
                      t.transfer_id, t.kind, t.currency)
          FROM entries e
          LEFT JOIN transfers t USING (transfer_id)
          LEFT JOIN accounts a USING (account_id)
         WHERE a.account_id IS NULL OR t.transfer_id IS NULL OR a.currency <> e.currency
            OR (a.kind = 'user' AND (a.user_id <> t.user_id OR e.balance_after IS NULL
                OR (e.amount_minor < 0) <> (t.kind IN ('check_created', 'topup_refunded'))))
            OR (a.kind <> 'user' AND (e.balance_after IS NOT NULL
                OR (a.kind = 'bank') <> (t.kind IN ('topup', 'topup_refunded'))))
    """,
    "every balance equals its entries": """
        SELECT 'account ' || a.account_id,
               format('user %s has a balance of %s %s, his entries sum to %s', a.user_id, a.balance_minor, a.currency,
                      COALESCE(e.total, 0))
          FROM accounts a
          LEFT JOIN (SELECT account_id, sum(amount_minor) AS total FROM entries GROUP BY account_id) e
                USING (account_id)
         WHERE a.kind = 'user' AND a.balance_minor IS DISTINCT FROM COALESCE(e.total, 0)
    """,
    "every entry carries on from the one before": """
        SELECT 'entry ' || entry_id,
               format('says that %s is left on account %s, the entry before it and its amount make %s', balance_after,
                      account_id, expected)
          FROM (SELECT entry_id, account_id, balance_after,
                       COALESCE(lag(balance_after) OVER (PARTITION BY account_id ORDER BY entry_id), 0)
                       + amount_minor AS expected
                  FROM entries WHERE balance_after IS NOT NULL) chain
         WHERE balance_after <> expected OR balance_after < 0
    """,
    "every ending closes its own hold, and money goes back to whom it came from": """
        SELECT t.transfer_id::text,
               format('%s of %s %s for user %s closes a hold of %s %s by user %s (%s)', t.kind, t.amount_minor,
                      t.currency, t.user_id, h.amount_minor, h.currency, h.user_id, h.outcome)
          FROM transfers t
          LEFT JOIN transfers h ON h.transfer_id = t.closes_id
         WHERE t.closes_id IS NOT NULL
           AND ((h.kind, h.outcome, h.subject_id, h.amount_minor, h.currency)
                IS DISTINCT FROM ('check_created', 'posted', t.subject_id, t.amount_minor, t.currency)
                OR (t.kind <> 'check_accepted' AND t.user_id <> h.user_id))
    """,
    "one transfer of a kind for each cause": """
        SELECT format('%s of %s', kind, subject_id), format('is in the books %s times', count(*))
          FROM transfers GROUP BY kind, subject_id HAVING count(*) > 1
    """,
    "the escrow holds exactly the open holds": """
        SELECT 'escrow ' || COALESCE(e.currency, h.currency),
               format('holds %s, the open holds are %s', COALESCE(e.total, 0), COALESCE(h.total, 0))
          FROM (SELECT a.currency, sum(e.amount_minor) AS total
                  FROM accounts a JOIN entries e USING (account_id) WHERE a.kind = 'escrow' GROUP BY a.currency) e
          FULL JOIN (SELECT h.currency, sum(h.amount_minor) AS total
                       FROM transfers h
                      WHERE h.kind = 'check_created' AND h.outcome = 'posted'
                        AND NOT EXISTS (SELECT 1 FROM transfers t WHERE t.closes_id = h.transfer_id)
                      GROUP BY h.currency) h ON h.currency = e.currency
         WHERE COALESCE(e.total, 0) <> COALESCE(h.total, 0)
    """,
    "the database's own guards are in place": """
        SELECT wanted.guard, 'this trigger is missing or switched off: the past of the ledger can be changed'
          FROM (VALUES ('transfers.append_only'), ('entries.append_only'), ('accounts.accounts_stay'),
                       ('transfers.check_transfers'), ('entries.check_entries')) AS wanted (guard)
         WHERE NOT EXISTS (SELECT 1 FROM pg_trigger t
                            WHERE t.tgrelid::regclass || '.' || t.tgname = wanted.guard AND t.tgenabled = 'O')
    """,
}

_TOTALS: Final = """
    SELECT a.kind, a.currency, COALESCE(sum(e.amount_minor), 0)::bigint, count(e.entry_id)
      FROM accounts a LEFT JOIN entries e USING (account_id) GROUP BY a.kind, a.currency HAVING count(e.entry_id) > 0
"""


def examine(ledger: Source, report: Report) -> None:
    """Apply every rule to the ledger and add up what it holds."""
    for rule, query in RULES.items():
        report.rules.append(rule)
        violations = ledger.rows(f"SELECT v.*, count(*) OVER () FROM ({query}) v LIMIT {MAX_FINDINGS_PER_RULE}")  # noqa: S608
        report.findings += [Finding(rule, subject, message) for subject, message, _ in violations]
        if violations and violations[0][2] > len(violations):
            report.findings.append(Finding(rule, "more", f"{violations[0][2] - len(violations)} further violations"))
    for kind, currency, total, entries in ledger.rows(_TOTALS):
        report.totals.setdefault(kind, {})[currency] = total
        report.counts["entries"] = report.counts.get("entries", 0) + entries
