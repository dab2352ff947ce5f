"""The SQL statements of the ledger. One statement posts a transfer: one round trip, one commit."""

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from services.balance.models import Posting, StatementLine

# The conditional UPDATE takes the row lock, so concurrent debits of one account are serialized and the second sees the
# balance that the first left. If both are the same transfer, the second violates the unique id and is rolled back.
_DEBIT = text("""
    WITH debited AS (
        UPDATE accounts
           SET balance_minor = balance_minor - :amount_minor
         WHERE account_id = :account_id
           AND balance_minor >= :amount_minor
           AND NOT EXISTS (SELECT 1 FROM transfers WHERE transfer_id = :transfer_id)
        RETURNING balance_minor
    ), posted AS (
        INSERT INTO transfers (transfer_id, kind, outcome, subject_id, user_id, amount_minor, currency, reference)
        SELECT :transfer_id, :kind, 'posted', :subject_id, :user_id, :amount_minor, :currency, :reference
          FROM debited
        RETURNING transfer_id, created_at
    ), legs AS (
        INSERT INTO entries (transfer_id, account_id, amount_minor, currency, balance_after, created_at)
        SELECT transfer_id, CAST(:account_id AS uuid), CAST(-:amount_minor AS bigint), :currency, balance_minor,
               created_at
          FROM posted, debited
        UNION ALL
        SELECT transfer_id, CAST(:counter_account_id AS uuid), :amount_minor, :currency, NULL, created_at
          FROM posted
    )
    SELECT 1 FROM posted
""")

# Many debits in one statement, of accounts that this transaction has locked and whose balances suffice. An account with
# several debits is updated once; its entries get running balances in the order in which they are inserted.
_DEBIT_MANY = text("""
    WITH wanted AS (
        SELECT * FROM json_to_recordset(CAST(:postings AS json)) AS w
            (transfer_id uuid, kind text, subject_id uuid, user_id uuid, account_id uuid, counter_account_id uuid,
             amount_minor bigint, currency text, reference text)
    ), posted AS (
        INSERT INTO transfers (transfer_id, kind, outcome, subject_id, user_id, amount_minor, currency, reference)
        SELECT transfer_id, kind, 'posted', subject_id, user_id, amount_minor, currency, reference
          FROM wanted
         ORDER BY transfer_id
        ON CONFLICT (transfer_id) DO NOTHING
        RETURNING transfer_id, created_at
    ), fresh AS (
        SELECT w.*, posted.created_at,
               sum(w.amount_minor) OVER (PARTITION BY w.account_id ORDER BY w.transfer_id) AS running_minor,
               sum(w.amount_minor) OVER (PARTITION BY w.account_id) AS total_minor
          FROM wanted w JOIN posted USING (transfer_id)
    ), debited AS (
        UPDATE accounts a
           SET balance_minor = a.balance_minor - t.total_minor
          FROM (SELECT DISTINCT account_id, total_minor FROM fresh) t
         WHERE a.account_id = t.account_id
        RETURNING a.account_id, a.balance_minor
    ), legs AS (
        INSERT INTO entries (transfer_id, account_id, amount_minor, currency, balance_after, created_at)
        SELECT transfer_id, account_id, -amount_minor, currency, balance_minor + total_minor - running_minor, created_at
          FROM fresh JOIN debited USING (account_id)
        UNION ALL
        SELECT transfer_id, counter_account_id, amount_minor, currency, NULL, created_at
          FROM fresh
         ORDER BY 2, 1
    )
    SELECT transfer_id FROM posted
""")

_LOCK_FREE_ACCOUNTS = text("""
    SELECT account_id, balance_minor FROM accounts
     WHERE account_id = ANY(CAST(:account_ids AS uuid[]))
     ORDER BY account_id
       FOR UPDATE SKIP LOCKED
""")

# A refusal occupies the transfer's id: a late copy of the command cannot succeed after its sender was refused.
_REFUSE = text("""
    INSERT INTO transfers (transfer_id, kind, outcome, subject_id, user_id, amount_minor, currency, reference)
    VALUES (:transfer_id, :kind, 'refused', :subject_id, :user_id, :amount_minor, :currency, :reference)
    ON CONFLICT (transfer_id) DO NOTHING
    RETURNING 1
""")

_FIND = text("""
    SELECT outcome, user_id, amount_minor, currency FROM transfers WHERE transfer_id = :transfer_id
""")

# Many credits in one statement. It inserts the transfers first: the statement that inserts an id owns its effect. It
# then locks accounts in ascending order; an account with several credits is updated once, and its entries get running
# balances.
_CREDIT = text("""
    WITH wanted AS (
        SELECT * FROM unnest(
            CAST(:transfer_ids AS uuid[]), CAST(:kinds AS text[]), CAST(:subject_ids AS uuid[]),
            CAST(:user_ids AS uuid[]), CAST(:account_ids AS uuid[]), CAST(:counter_account_ids AS uuid[]),
            CAST(:closes_ids AS uuid[]), CAST(:amounts_minor AS bigint[]), CAST(:currencies AS text[]),
            CAST(:references AS text[])
        ) AS w (transfer_id, kind, subject_id, user_id, account_id, counter_account_id, closes_id,
                amount_minor, currency, reference)
    ), posted AS (
        INSERT INTO transfers (transfer_id, kind, outcome, subject_id, user_id, closes_id, amount_minor, currency,
                               reference)
        SELECT w.transfer_id, w.kind, 'posted', w.subject_id, w.user_id, w.closes_id, w.amount_minor, w.currency,
               w.reference
          FROM wanted w
         ORDER BY w.transfer_id
        ON CONFLICT DO NOTHING
        RETURNING transfer_id, created_at
    ), fresh AS (
        SELECT w.*, posted.created_at,
               sum(w.amount_minor) OVER (PARTITION BY w.account_id ORDER BY w.transfer_id) AS running_minor,
               sum(w.amount_minor) OVER (PARTITION BY w.account_id) AS total_minor
          FROM wanted w JOIN posted USING (transfer_id)
    ), credited AS (
        INSERT INTO accounts (account_id, kind, user_id, currency, balance_minor)
        SELECT DISTINCT account_id, 'user', user_id, currency, CAST(total_minor AS bigint) FROM fresh
         ORDER BY account_id
        ON CONFLICT (account_id) DO UPDATE SET balance_minor = accounts.balance_minor + EXCLUDED.balance_minor
        RETURNING account_id, balance_minor
    ), legs AS (
        INSERT INTO entries (transfer_id, account_id, amount_minor, currency, balance_after, created_at)
        SELECT transfer_id, account_id, amount_minor, currency, balance_minor - total_minor + running_minor,
               clock_timestamp()
          FROM fresh JOIN credited USING (account_id)
        UNION ALL
        SELECT transfer_id, counter_account_id, -amount_minor, currency, NULL, clock_timestamp()
          FROM fresh
         ORDER BY 2, 1
    )
    SELECT transfer_id FROM posted
""")

# The same for one credit, on the path of a user request, at half the cost of the statement above.
_CREDIT_ONE = text("""
    WITH posted AS (
        INSERT INTO transfers (transfer_id, kind, outcome, subject_id, user_id, closes_id, amount_minor, currency,
                               reference)
        VALUES (:transfer_id, :kind, 'posted', :subject_id, :user_id, :closes_id, :amount_minor, :currency, :reference)
        ON CONFLICT DO NOTHING
        RETURNING transfer_id
    ), credited AS (
        INSERT INTO accounts (account_id, kind, user_id, currency, balance_minor)
        SELECT CAST(:account_id AS uuid), 'user', CAST(:user_id AS uuid), :currency, CAST(:amount_minor AS bigint)
          FROM posted
        ON CONFLICT (account_id) DO UPDATE SET balance_minor = accounts.balance_minor + EXCLUDED.balance_minor
        RETURNING balance_minor
    ), legs AS (
        INSERT INTO entries (transfer_id, account_id, amount_minor, currency, balance_after, created_at)
        SELECT transfer_id, CAST(:account_id AS uuid), CAST(:amount_minor AS bigint), :currency, balance_minor,
               clock_timestamp()
          FROM posted, credited
        UNION ALL
        SELECT transfer_id, CAST(:counter_account_id AS uuid), CAST(-:amount_minor AS bigint), :currency, NULL,
               clock_timestamp()
          FROM posted
    )
    SELECT 1 FROM posted
""")

_POSTED_AMONG = text("""
    SELECT transfer_id FROM transfers
     WHERE transfer_id = ANY(CAST(:transfer_ids AS uuid[])) AND outcome = 'posted'
""")

_BALANCE = text("SELECT balance_minor FROM accounts WHERE account_id = :account_id")

# Only entries of users have balance_after, and only these are in the index by account; a query without that condition
# scans the whole ledger.
# This is a binary search by time, which is possible because the entries of one account are made one after the other:
# entries up to "low" were made before the given time, those from "high" on were not. Each step reads one entry,
# whereas a scan from the newest entry would read all that were made since.
_SEARCH_BY_TIME = """
    WITH RECURSIVE search (low, high, balance_after) AS (
        SELECT CAST(0 AS bigint),
               (SELECT entry_id + 1 FROM entries
                 WHERE account_id = :account_id AND balance_after IS NOT NULL
                 ORDER BY entry_id DESC LIMIT 1),
               CAST(0 AS bigint)
        UNION ALL
        SELECT CASE WHEN found.is_later THEN half.low ELSE half.middle END,
               CASE WHEN found.is_later THEN found.entry_id ELSE half.high END,
               CASE WHEN found.is_later IS FALSE THEN found.balance_after ELSE half.balance_after END
          FROM (SELECT *, (low + high) / 2 AS middle FROM search WHERE high - low > 1) half
          LEFT JOIN LATERAL (SELECT entry_id, balance_after, created_at >= :before AS is_later FROM entries
                              WHERE account_id = :account_id AND balance_after IS NOT NULL
                                AND entry_id > half.low AND entry_id <= half.middle
                              ORDER BY entry_id DESC LIMIT 1) found ON true
    )
"""
_BALANCE_AT = text(f"{_SEARCH_BY_TIME} SELECT balance_after FROM search ORDER BY high - low LIMIT 1")  # noqa: S608
_FIRST_ENTRY_FROM = text(f"{_SEARCH_BY_TIME} SELECT high FROM search ORDER BY high - low LIMIT 1")  # noqa: S608

_STATEMENT = text("""
    SELECT e.entry_id, t.kind, e.amount_minor, e.balance_after, e.currency, t.reference, e.created_at
      FROM entries e JOIN transfers t USING (transfer_id)
     WHERE e.account_id = :account_id AND e.balance_after IS NOT NULL AND e.entry_id < :before_entry_id
       AND e.entry_id >= :from_entry_id
     ORDER BY e.entry_id DESC
     LIMIT :limit
""")


def debit(tx: Connection, posting: Posting) -> bool:
    """Debit the user if the balance suffices and the transfer is new; return whether it was posted."""
    return tx.execute(_DEBIT, _single(posting)).one_or_none() is not None


def lock_free_accounts(tx: Connection, account_ids: Collection[UUID]) -> dict[UUID, int]:
    """Lock those of the accounts that no other transaction has locked; return their balances in minor units."""
    rows = tx.execute(_LOCK_FREE_ACCOUNTS, {"account_ids": [str(account_id) for account_id in account_ids]})
    return {row.account_id: row.balance_minor for row in rows}


def debit_many(tx: Connection, postings: Sequence[Posting]) -> set[UUID]:
    """Debit users; return the ids of the transfers that are new.

    The ids must be distinct. The caller has locked the accounts, and their balances cover all the postings.
    """
    return {row.transfer_id for row in tx.execute(_DEBIT_MANY, {"postings": _as_json(postings)})}


def record_refusal(tx: Connection, posting: Posting) -> bool:
    """Record the refusal of the transfer, which is final; return False if its id is taken."""
    return tx.execute(_REFUSE, _single(posting)).one_or_none() is not None


def find_outcome(tx: Connection, posting: Posting) -> tuple[str, bool] | None:
    """Return the outcome of the transfer with this id and whether user, amount and currency match; None if unknown."""
    row = tx.execute(_FIND, {"transfer_id": posting.transfer_id}).one_or_none()
    if row is None:
        return None
    same = (row.user_id, row.amount_minor, row.currency) == (posting.user_id, posting.amount_minor, posting.currency)
    return row.outcome, same


def credit(tx: Connection, postings: Sequence[Posting]) -> set[UUID]:
    """Credit users; return the ids of the transfers that are new. The ids must be distinct."""
    rows = tx.execute(
        _CREDIT,
        {
            "transfer_ids": [p.transfer_id for p in postings],
            "kinds": [p.kind.value for p in postings],
            "subject_ids": [p.subject_id for p in postings],
            "user_ids": [p.user_id for p in postings],
            "account_ids": [p.account_id for p in postings],
            "counter_account_ids": [p.counter_account_id for p in postings],
            "closes_ids": [p.closes_id for p in postings],
            "amounts_minor": [p.amount_minor for p in postings],
            "currencies": [p.currency for p in postings],
            "references": [p.reference for p in postings],
        },
    )
    return {row.transfer_id for row in rows}


def credit_one(tx: Connection, posting: Posting) -> bool:
    """Credit a user; return False if the transfer, or another one that ends its hold, is posted already."""
    return tx.execute(_CREDIT_ONE, _single(posting)).one_or_none() is not None


def posted_among(tx: Connection, transfer_ids: Sequence[UUID]) -> set[UUID]:
    """Return which of these transfers are posted."""
    return {row.transfer_id for row in tx.execute(_POSTED_AMONG, {"transfer_ids": list(transfer_ids)})}


def balance_of(tx: Connection, account_id: UUID) -> int:
    """Return the balance in minor units; 0 for an account that does not exist yet."""
    return tx.execute(_BALANCE, {"account_id": account_id}).scalar_one_or_none() or 0


def balance_before(tx: Connection, account_id: UUID, before: datetime) -> int:
    """Return the balance in minor units after the last entry made before ``before``."""
    balance: int = tx.execute(_BALANCE_AT, {"account_id": account_id, "before": before}).scalar_one()
    return balance


def first_entry_from(tx: Connection, account_id: UUID, at: datetime) -> int:
    """Return an entry id up to which all entries of the account were made before ``at``, and none from it on."""
    return int(tx.execute(_FIRST_ENTRY_FROM, {"account_id": account_id, "before": at}).scalar_one() or 0)


def statement(
    tx: Connection, account_id: UUID, *, from_entry_id: int, before_entry_id: int, limit: int
) -> list[StatementLine]:
    """Return up to ``limit`` entries of one account between two entry ids, newest first."""
    values = {"account_id": account_id, "from_entry_id": from_entry_id, "limit": limit}
    rows = tx.execute(_STATEMENT, {**values, "before_entry_id": before_entry_id}).mappings()
    return [StatementLine(**row) for row in rows]


def _as_json(postings: Sequence[Posting]) -> str:
    return json.dumps([_single(posting) for posting in postings], default=str)


def _single(posting: Posting) -> dict[str, object]:
    return {
        "transfer_id": posting.transfer_id,
        "kind": posting.kind.value,
        "subject_id": posting.subject_id,
        "user_id": posting.user_id,
        "account_id": posting.account_id,
        "counter_account_id": posting.counter_account_id,
        "closes_id": posting.closes_id,
        "amount_minor": posting.amount_minor,
        "currency": posting.currency,
        "reference": posting.reference,
    }
