"""The checker reports no violation in consistent books and detects each damage of its catalogue."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.faults.chaos.books import Paid, Transfer
from tests.faults.chaos.checker import check
from tests.faults.chaos.sample_books import ALICE, BOB, ESCROW, NOON, SampleBooks


def rules(sample: SampleBooks) -> set[str]:
    """Return the broken rules."""
    return {violation.rule for violation in check(sample.books, sample.record(), clocks=[])}


def line(sample: SampleBooks, **fields: str) -> dict[str, Any]:
    """Return the first line of the journals with these fields."""
    return next(line for line in sample.lines if fields.items() <= line.items())


def remove_settlement(sample: SampleBooks) -> None:
    """Remove the movement of the accepted check."""
    books = sample.books
    books.transfers = [each for each in books.transfers if each.kind != "check_accepted"]
    books.entries = [each for each in books.entries if not each.transfer_id.startswith("check_accepted")]


def accept_twice(sample: SampleBooks) -> None:
    """Record a second successful accept of one check by another client."""
    accept = [line for line in sample.lines if line.get("operation") == "b-accept"]
    sample.lines += [{**line, "operation": "a-accept", "who": "a"} for line in accept]


def respond_500(sample: SampleBooks) -> None:
    """Record a response of 500 before the first final response."""
    place = next(place for place, line in enumerate(sample.lines) if line["event"] == "response")
    sample.lines.insert(place, {**sample.lines[place], "status": 500, "body": {}, "decides": False})


#: By rule: the damages that it must detect.
DAMAGES: dict[str, dict[str, Callable[[SampleBooks], object]]] = {
    "every transfer sums to zero": {"entry missing": lambda s: s.books.entries.pop()},
    "no balance is negative at any time": {
        "entries reordered": lambda s: s.books.entries.sort(key=lambda entry: entry.transfer_id.startswith("topup")),
        "balance_after": lambda s: s.books.entries.__setitem__(0, replace(s.books.entries[0], balance_after=1)),
        "balance": lambda s: s.books.accounts.__setitem__(-1, replace(s.books.accounts[-1], balance=7)),
    },
    "nothing is moved twice": {
        "transfer repeated": lambda s: s.books.transfers.append(s.books.transfers[0]),
        "second ending": lambda s: s.books.transfers.append(
            Transfer("t", "check_expired", True, "check-used", ALICE, 1_000)
        ),
    },
    "a check has exactly the movements of its status": {
        "settlement missing": remove_settlement,
        "check still pending": lambda s: s.change_check("active", status="pending"),
    },
    "every movement has a check or a top-up": {
        "orphan hold": lambda s: s.books.transfers.append(Transfer("t", "check_created", True, "no-check", ALICE, 5))
    },
    "a payment is credited exactly once": {
        "payment without a credit": lambda s: s.books.paid.append(Paid("order-a-2", "topup-a-2", 100_001)),
        "credit without a payment": lambda s: s.books.paid.clear(),
    },
    "no check expires early": {
        "expired early": lambda s: s.books.expired_at.update({"check-expired": NOON - timedelta(minutes=1)})
    },
    "every event is delivered": {"event open": lambda s: s.books.open_events.append("event")},
    "no event is parked": {"event parked": lambda s: s.books.dead_letters.append("event")},
    "every error has an expected reason": {
        "check not found": lambda s: line(s, operation="b-accept", event="response").update(
            status=404, body={"code": "check_not_found"}
        )
    },
    "no response is a 500": {"response of 500": respond_500},
    "a repeat gets the first response": {
        "another code": lambda s: s.lines.append(
            {
                **line(s, operation="a-active", event="response"),
                "event": "repeat",
                "body": {"fastcheck": "000000000001", "code": "9999", "amount": 1_000},
            }
        )
    },
    "one request to create makes one check": {
        "two checks": lambda s: s.books.checks.append(
            replace(s.books.checks[0], check_id="second", number="000000000009")
        ),
        "check missing": lambda s: s.books.checks.pop(0),
        "check without a request": lambda s: s.change_check("active", note=None),
    },
    "a check is accepted once, by the user with the success response": {
        "two successful accepts": accept_twice,
        "another acceptor": lambda s: s.change_check("used", acceptor=ALICE),
    },
    "a check has the status that clients were told": {
        "cancelled check active": lambda s: s.change_check("cancelled", status="active")
    },
    "a top-up is what its user requested and paid": {
        "two top-ups": lambda s: s.books.topups.append(replace(s.books.topups[1], topup_id="second")),
        "paid top-up not paid": lambda s: line(s, kind="decline", event="request").update(kind="pay"),
    },
    "every balance is what the responses to its user make": {
        "another balance": lambda s: line(s, event="balance_read").update(balance=1)
    },
}


def test_consistent_books_have_no_violations() -> None:
    sample = SampleBooks()
    assert check(sample.books, sample.record(), clocks=[]) == []


@pytest.mark.parametrize(("rule", "name"), [(rule, name) for rule, damages in DAMAGES.items() for name in damages])
def test_damage_is_found(rule: str, name: str) -> None:
    sample = SampleBooks()
    DAMAGES[rule][name](sample)
    assert rule in rules(sample)


def test_accept_without_a_response_may_have_happened_or_not() -> None:
    """Both outcomes of an accept whose response was lost are consistent."""
    sample = SampleBooks()
    sample.drop_line(lambda line: line.get("operation") == "b-accept" and line["event"] != "request")
    assert rules(sample) == set()
    remove_settlement(sample)
    sample.change_check("used", status="active", acceptor=None)
    sample.books.accounts = [
        replace(account, balance=0) if account.user == BOB else account for account in sample.books.accounts
    ]
    sample.drop_line(lambda line: line["event"] == "balance_read")
    assert rules(sample) == set()


def test_early_expiry_by_a_clock_that_is_ahead_is_no_violation() -> None:
    sample = SampleBooks()
    sample.books.expired_at["check-expired"] = NOON - timedelta(minutes=1)
    at = (NOON - timedelta(minutes=1)).timestamp()
    assert check(sample.books, sample.record(), clocks=[(at - 5, at + 5, 3_600.0)]) == []
    assert check(sample.books, sample.record(), clocks=[(at + 5, at + 9, 3_600.0)]) != []
    assert check(sample.books, sample.record(), clocks=[(at - 5, at + 5, 30.0)]) != []


def test_escrow_entries_without_balance_after_are_no_violation() -> None:
    sample = SampleBooks()
    assert all(entry.balance_after is None for entry in sample.books.entries if entry.account_id == ESCROW)
    assert rules(sample) == set()
