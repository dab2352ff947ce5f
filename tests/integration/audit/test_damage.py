"""Every table damaged by hand in every way that we could think of: the auditor finds each, and says where."""

import re

import pytest

from tests.integration.audit import damages, damages_outside
from tests.integration.audit.conftest import Books
from tests.integration.audit.damages import Damage

ALL = [
    *damages.ENTRIES,
    *damages.TRANSFERS,
    *damages.ACCOUNTS,
    *damages.CHAIN,
    *damages.GUARDS,
    *damages_outside.CHECKS,
    *damages_outside.PAYMENTS,
    *damages_outside.BANK,
]


@pytest.mark.parametrize("damage", ALL, ids=[f"{damage.service}-{damage.name}" for damage in ALL])
def test_every_damage_is_found_where_it_is(books_of_town: Books, damage: Damage) -> None:
    subject = damage.subject.format_map(books_of_town.ids)
    books_of_town.damage(damage.service, *damage.statements)
    report = books_of_town.audit()
    found = {(finding.rule, finding.subject) for finding in report.findings}
    assert (damage.rule, subject) in found, "\n".join(
        f"{finding.rule}: {finding.subject} {finding.message}" for finding in report.findings
    )


def test_the_names_of_the_damages_are_their_own() -> None:
    names = [(damage.service, damage.name) for damage in ALL]
    assert len(set(names)) == len(names)


def test_every_rule_has_a_damage(books_of_town: Books) -> None:
    """A rule that nothing in these tests can break would prove nothing."""
    broken = {damage.rule for damage in ALL}
    rules = set(books_of_town.audit().rules)
    assert rules <= broken, rules - broken


def test_every_finding_says_what_and_where_in_words(books_of_town: Books) -> None:
    books_of_town.damage(
        "balance", "UPDATE entries SET amount_minor = amount_minor + 1 WHERE balance_after IS NOT NULL"
    )
    report = books_of_town.audit()
    assert not report.is_clean
    for finding in report.findings:
        assert finding.subject
        assert not re.search(r"[{}%]|None", finding.message), finding.message
