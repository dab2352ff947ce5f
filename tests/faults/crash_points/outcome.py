"""The outcome of a flow in a form that is equal in two runs: no ids, no times, nothing of the way it was reached."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tests.faults.crash_points.system import System
from tests.faults.crash_points.users import Users

#: By table: how often each row exists.
Outcome = dict[str, Counter[str]]

#: States of a payment at the bank that was never paid.
_UNPAID = frozenset({"NEW", "CANCELED", "DEADLINE_EXPIRED"})


def outcome(system: System, users: Users) -> Outcome:
    """Read the rows of all tables that a flow may change, with the names of users instead of their ids."""
    books = system.books()
    kinds = {transfer.transfer_id: transfer.kind for transfer in books.transfers}
    paid = [payment for payment in system.bank() if payment.state not in _UNPAID]
    tables: dict[str, Sequence[tuple[Any, ...]]] = {
        "accounts": [(each.user, each.balance, each.currency) for each in books.accounts if each.kind == "user"],
        "transfers": [(each.kind, each.outcome, each.user, each.amount, each.currency) for each in books.transfers],
        "entries": [(kinds.get(each.transfer_id), each.amount, each.balance_after is None) for each in books.entries],
        "checks": [(each.status, each.creator, each.acceptor, each.amount) for each in books.checks],
        "keys": books.keys,
        "top-ups": [(each.status, each.user, each.amount, each.refunded) for each in books.topups],
        "refunds": [(each.status, each.amount, each.was_credited) for each in books.refunds.values()],
        "paid at the bank": [(each.amount, each.returned, each.refunds) for each in paid],
        "parked events": [(kind,) for kind, _ in books.parked],
    }
    return {
        table: Counter(" ".join(users.ids.get(str(value), str(value)) for value in row) for row in rows)
        for table, rows in tables.items()
    }


def differences(expected: Outcome, found: Outcome) -> list[str]:
    """Return one sentence for each row that is missing or surplus."""
    sentences = []
    for table in expected:
        missing, surplus = expected[table] - found[table], found[table] - expected[table]
        sentences += [f"{table}: lacks {row!r} ({count})" for row, count in missing.items()]
        sentences += [f"{table}: has {row!r} ({count}) too much" for row, count in surplus.items()]
    return sentences
