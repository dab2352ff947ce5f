"""What a flow has come to, in a form in which two runs can be compared: nothing by chance, nothing of the way there."""

from collections import Counter
from typing import Any, Final

from tests.faults.crash_points.people import People
from tests.faults.crash_points.system import System

Outcome = dict[str, Any]

_BOOKS: Final = {
    "accounts": ("balance", "SELECT user_id::text, balance_minor, currency FROM accounts WHERE kind = 'user'"),
    "transfers": ("balance", "SELECT kind, outcome, user_id::text, amount_minor, currency FROM transfers"),
    "entries": (
        "balance",
        "SELECT kind, entries.amount_minor, balance_after IS NULL FROM entries JOIN transfers USING (transfer_id)",
    ),
    "checks": ("checks", "SELECT status, creator_id::text, acceptor_id::text, amount_minor FROM checks"),
    "keys": ("checks", "SELECT operation, user_id::text, status FROM idempotency_keys"),
    "top-ups": ("payments", "SELECT status, user_id::text, amount_minor, refunded_minor FROM topups"),
    "refunds": ("payments", "SELECT status, amount_minor, was_credited FROM refunds"),
    "paid at the bank": (
        "sandbox_bank",
        "SELECT amount_minor, refunded_minor FROM payments WHERE state NOT IN ('NEW', 'CANCELED', 'DEADLINE_EXPIRED')",
    ),
    "refunded by the bank": ("sandbox_bank", "SELECT amount_minor FROM refunds"),
    "parked events": ("balance", "SELECT type FROM dead_letters JOIN inbox USING (event_id) WHERE resolved_at IS NULL"),
}


def outcome(system: System, people: People) -> Outcome:
    """Every row of every book, without what differs from run to run: how often there is each."""
    found: Outcome = {}
    for book, (service, query) in _BOOKS.items():
        rows = system.databases.rows(service, query)
        found[book] = Counter(" ".join(people.ids.get(str(value), str(value)) for value in row) for row in rows)
    return found


def differences(expected: Outcome, found: Outcome) -> list[str]:
    """In sentences."""
    told = []
    for book in expected:
        lacking, surplus = expected[book] - found[book], found[book] - expected[book]
        told += [f"{book}: lacks {row!r} ({count})" for row, count in lacking.items()]
        told += [f"{book}: has {row!r} ({count}) too much" for row, count in surplus.items()]
    return told
