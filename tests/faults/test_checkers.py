"""The checkers report no violation in consistent books, and detect each damage of their catalogue."""

import ast
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.faults import checker, responses
from tests.faults.books import BankPayment, Check, Order, Refund, Transfer
from tests.faults.record import Response
from tests.faults.sample_books import ALICE, BOB, ESCROW, NOON, SampleBooks

#: The errors that the requests of the sample may get.
EXPECTED_ERRORS = {"create": ("insufficient_funds",)}


def code_of(check: Check) -> str:
    """Return the code of a check of the sample, which is not encrypted."""
    return bytes(check.sealed_code).decode()


def violations(sample: SampleBooks, ahead: float = 0.0) -> list[str]:
    """Return the violations that the two checkers find."""
    return [
        *checker.violations(sample.books, sample.bank, lambda _: ahead),
        *responses.violations(sample.books, sample.bank, sample.record, code_of),
        *responses.errors_are_expected(sample.record, EXPECTED_ERRORS),
    ]


def remove_settlement(sample: SampleBooks) -> None:
    """Remove the transfer of the accepted check."""
    books = sample.books
    books.transfers[:] = [each for each in books.transfers if each.kind != "check_accepted"]
    books.entries[:] = [each for each in books.entries if not each.transfer_id.startswith("check_accepted")]


def accept_twice(sample: SampleBooks) -> None:
    """Record a second successful accept of one check by another client."""
    accept = sample.operation("b-accept")
    sample.record.operations["a-accept"] = replace(accept, name="a-accept", user=ALICE)


def leave_unprocessed(sample: SampleBooks, status: str, *, is_closed: bool) -> None:
    """Leave an inbox row of the event that ended the check of this status."""
    event = sample.books.outbox[f"event-check-{status}"]
    sample.books.unprocessed.append((event.event_id, event.type))
    sample.books.outbox[event.event_id] = replace(event, is_closed=is_closed)


def acknowledge_without_effect(sample: SampleBooks) -> None:
    """Remove the effect of an event that is closed and not processed."""
    leave_unprocessed(sample, "used", is_closed=True)
    remove_settlement(sample)


def change_code(sample: SampleBooks, code: str) -> None:
    sample.change_check("active", sealed_code=code.encode())


Damage = Callable[[SampleBooks], object]
#: By words of the violation: the damages that must be detected. First those of the books.
DAMAGES: dict[str, dict[str, Damage]] = {
    "has the entries": {"entry missing": lambda s: s.books.entries.pop()},
    "entries without a transfer": {"transfer missing": lambda s: s.books.transfers.pop()},
    "should leave": {
        "entries reordered": lambda s: s.books.entries.sort(key=lambda entry: entry.transfer_id.startswith("topup")),
        "balance_after": lambda s: s.books.entries.__setitem__(0, replace(s.books.entries[0], balance_after=1)),
        "balance_after missing": lambda s: s.books.entries.__setitem__(
            0, replace(s.books.entries[0], balance_after=None)
        ),
    },
    "should have": {
        "balance": lambda s: s.books.accounts.__setitem__(-1, replace(s.books.accounts[-1], balance=7)),
    },
    "the balances of all accounts sum to": {"entry missing": lambda s: s.books.entries.pop()},
    "the ledger has 2 transfers for": {
        "transfer repeated": lambda s: s.books.transfers.append(s.books.transfers[0]),
    },
    "ended 2 times": {
        "second ending": lambda s: s.books.transfers.append(
            Transfer("t", "check_expired", "posted", "check-used", ALICE, 1_000, "RUB")
        ),
    },
    "is used, and the ledger has": {"settlement missing": remove_settlement},
    "is rejected, and its hold is": {
        "check rejected": lambda s: s.change_check("active", status="rejected"),
    },
    "does not match": {"hold of another amount": lambda s: s.change_check("active", amount=999)},
    "does not pay": {"paid to another user": lambda s: s.change_check("used", acceptor=ALICE)},
    "which does not exist": {
        "orphan hold": lambda s: s.books.transfers.append(
            Transfer("t", "check_created", "posted", "no-check", ALICE, 5, "RUB")
        )
    },
    "the escrow account holds": {"check missing": lambda s: s.books.checks.pop(0)},
    "the bank keeps": {
        "payment without a credit": lambda s: s.bank.append(BankPayment("order-a-2", "CONFIRMED", 100_001, 0, None)),
        "credit without a payment": lambda s: s.bank.clear(),
        "payment refunded at the bank alone": lambda s: s.bank.__setitem__(0, replace(s.bank[0], returned=5)),
    },
    "does not belong to": {
        "credit of another amount": lambda s: s.books.topups.__setitem__(0, replace(s.books.topups[0], amount=5)),
        "credit to another user": lambda s: s.books.topups.__setitem__(0, replace(s.books.topups[0], user=BOB)),
    },
    "is paid, and its top-up is": {
        "top-up not confirmed": lambda s: s.books.topups.__setitem__(0, replace(s.books.topups[0], status="failed")),
    },
    "is paid at the bank, and payments has": {
        "order unknown": lambda s: s.books.orders.pop("order-a-1"),
        "order not paid": lambda s: s.books.orders.__setitem__("order-a-1", Order("order-a-1", "topup-a-1", "open")),
    },
    "before": {
        "expired early": lambda s: s.books.outbox.__setitem__(
            "event-check-expired",
            replace(s.books.outbox["event-check-expired"], created_at=NOON - timedelta(minutes=1)),
        )
    },
    "is still": {
        "check pending": lambda s: s.change_check("active", status="pending"),
        "check due": lambda s: s.change_check("active", expires_at=NOON),
    },
    "a refund is not finished": {
        "refund open": lambda s: s.books.refunds.setdefault(
            "r", Refund("r", "topup-a-1", 5, "pending", was_credited=False, is_finished=False)
        )
    },
    "an event is still open": {
        "event open": lambda s: s.books.outbox.__setitem__(
            "event-check-used", replace(s.books.outbox["event-check-used"], is_closed=False)
        )
    },
    "an event is neither processed nor parked": {
        "acknowledged without its effect": acknowledge_without_effect,
        "open at its publisher": lambda s: leave_unprocessed(s, "used", is_closed=False),
        "unknown to its publisher": lambda s: s.books.unprocessed.append(("event", "check.accepted.v1")),
    },
    "is parked": {"event parked": lambda s: s.books.parked.append(("check.accepted.v1", "why"))},
    # Those of the responses.
    "every error has an expected reason": {
        "check not found": lambda s: s.operation("b-accept").responses.__setitem__(
            0, Response(404, {"code": "check_not_found"})
        )
    },
    "no response is a 500": {
        "response of 500": lambda s: s.operation("b-accept").responses.insert(0, Response(500, {}))
    },
    "a repeat gets the first response": {
        "another code": lambda s: s.operation("a-active").responses.append(Response(201, {"code": "9999"}))
    },
    "one request to create makes one check": {
        "two checks": lambda s: s.books.checks.append(
            replace(s.books.checks[0], check_id="second", number="000000000009")
        ),
        "check missing": lambda s: s.books.checks.pop(0),
        "check without a request": lambda s: s.change_check("active", note=None),
        "refused check active": lambda s: s.change_check("rejected", status="active"),
        "another expiration": lambda s: s.change_check("active", expires_at=NOON + timedelta(days=8)),
    },
    "a check is accepted once, by the user with the success response": {
        "two successful accepts": accept_twice,
        "another acceptor": lambda s: s.change_check("used", acceptor=ALICE),
    },
    "a check has the status that clients were told": {
        "cancelled check active": lambda s: s.change_check("cancelled", status="active"),
        "cancelled without a request": lambda s: s.change_check("active", status="cancelled"),
        "cancelled by another user": lambda s: setattr(s.operation("a-cancel"), "user", BOB),
    },
    "a check has the code that its creator was told": {
        "another code": lambda s: change_code(s, "9999"),
        "accepted with a wrong code": lambda s: s.operation("b-accept").body.update(code="9999"),
        "right code not found": lambda s: s.operation("b-accept").responses.__setitem__(
            0, Response(404, {"code": "check_not_found"})
        ),
    },
    "a top-up is what its user requested and paid": {
        "two top-ups": lambda s: s.books.topups.append(replace(s.books.topups[1], topup_id="second")),
        "top-up without a request": lambda s: s.record.operations.pop("a-2"),
        "paid top-up not paid": lambda s: setattr(s.operation("a-2-visit"), "kind", "pay"),
        "paid without a visit": lambda s: s.record.operations.pop("a-1-visit"),
    },
    "every balance is what the responses to its user make": {
        "another balance read": lambda s: s.record.balances.update({ALICE: 1}),
        "another balance": lambda s: s.books.accounts.__setitem__(-1, replace(s.books.accounts[-1], balance=7)),
    },
}


def test_consistent_books_have_no_violations() -> None:
    assert violations(SampleBooks()) == []


@pytest.mark.parametrize(("words", "name"), [(words, name) for words, damages in DAMAGES.items() for name in damages])
def test_damage_is_found(words: str, name: str) -> None:
    sample = SampleBooks()
    DAMAGES[words][name](sample)
    assert any(words in violation for violation in violations(sample)), violations(sample)


def test_accept_without_a_response_may_have_happened_or_not() -> None:
    """Both outcomes of an accept whose response was lost are consistent."""
    sample = SampleBooks()
    sample.operation("b-accept").responses.clear()
    assert violations(sample) == []
    remove_settlement(sample)
    sample.books.outbox.pop("event-check-used")
    sample.change_check("used", status="active", acceptor=None)
    sample.books.accounts[:] = [
        replace(account, balance=0) if account.user == BOB else account for account in sample.books.accounts
    ]
    sample.record.balances.clear()
    assert violations(sample) == []


def test_early_expiry_by_a_clock_that_is_ahead_is_no_violation() -> None:
    sample = SampleBooks()
    DAMAGES["before"]["expired early"](sample)
    assert violations(sample, ahead=3_600.0) == []
    assert violations(sample, ahead=30.0) != []


def test_event_may_stay_unprocessed_if_a_command_had_its_effect() -> None:
    sample = SampleBooks()
    leave_unprocessed(sample, "used", is_closed=True)
    assert violations(sample) == []


def test_escrow_entries_without_balance_after_are_no_violation() -> None:
    sample = SampleBooks()
    assert all(entry.balance_after is None for entry in sample.books.entries if entry.account == ESCROW)


@pytest.mark.parametrize("module", ["books", "checker", "record", "responses"])
def test_checkers_import_nothing_of_the_services(module: str) -> None:
    tree = ast.parse((Path(__file__).parent / f"{module}.py").read_text())
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert "dataclasses" in imported or "collections" in imported, "no imports were found"
    assert not {name for name in imported if name.startswith(("services", "common"))}
