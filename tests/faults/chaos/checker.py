"""The independent checker: compares the clients' record with the books and shares no code with the services."""

from collections.abc import Sequence

from tests.faults.chaos import rules_ledger, rules_responses
from tests.faults.chaos.books import Books
from tests.faults.chaos.record import Record
from tests.faults.chaos.violation import Violation


def check(books: Books, record: Record, clocks: Sequence[tuple[float, float, float]]) -> list[Violation]:
    """Return all violations. Call only after the system has settled; ``clocks`` as in ``nothing_expires_early``."""
    return [
        *rules_ledger.ledger_adds_up(books),
        *rules_ledger.balances_are_never_negative(books),
        *rules_ledger.nothing_is_moved_twice(books),
        *rules_ledger.checks_have_their_money(books),
        *rules_ledger.topups_are_what_was_paid(books),
        *rules_ledger.nothing_expires_early(books, clocks),
        *rules_ledger.nothing_is_left_over(books),
        *rules_responses.responses_are_expected(record),
        *rules_responses.repeats_get_the_first_response(record),
        *rules_responses.created_checks_exist_once(books, record),
        *rules_responses.accepted_checks_are_paid_once(books, record),
        *rules_responses.ended_checks_are_as_reported(books, record),
        *rules_responses.topups_are_as_reported(books, record),
        *rules_responses.balances_are_as_recorded(books, record),
    ]
