"""The independent checker: the clients' record against the books. It shares no code with the services."""

from collections.abc import Sequence

from tests.faults.chaos import rules_ledger, rules_promises
from tests.faults.chaos.books import Books
from tests.faults.chaos.record import Record
from tests.faults.chaos.violation import Violation


def check(books: Books, record: Record, clocks: Sequence[tuple[float, float, float]]) -> list[Violation]:
    """Everything that is wrong. To be called when nothing moves; ``clocks`` as in ``nothing_expires_early``."""
    return [
        *rules_ledger.ledger_adds_up(books),
        *rules_ledger.balances_are_never_negative(books),
        *rules_ledger.nothing_is_moved_twice(books),
        *rules_ledger.checks_have_their_money(books),
        *rules_ledger.topups_are_what_was_paid(books),
        *rules_ledger.nothing_expires_early(books, clocks),
        *rules_ledger.nothing_is_left_over(books),
        *rules_promises.answers_are_expected(record),
        *rules_promises.repeats_are_repeats(record),
        *rules_promises.created_checks_exist_once(books, record),
        *rules_promises.accepted_checks_are_paid_once(books, record),
        *rules_promises.ended_checks_are_as_told(books, record),
        *rules_promises.topups_are_as_told(books, record),
        *rules_promises.everybody_has_what_is_his(books, record),
    ]
