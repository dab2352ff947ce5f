"""The auditor detects every damage of the catalogue and reports where it is."""

import re

import pytest

from tests.integration.auditor.conftest import SampleBooks
from tests.integration.auditor.damages import DAMAGES, Damage


@pytest.mark.parametrize("damage", DAMAGES, ids=[f"{damage.service}-{damage.name}" for damage in DAMAGES])
def test_damage_is_found_at_its_subject(sample_books: SampleBooks, damage: Damage) -> None:
    subject = damage.subject.format_map(sample_books.ids)
    sample_books.damage(damage.service, *damage.statements)
    report = sample_books.audit()
    found = {(finding.rule, finding.subject) for finding in report.findings}
    assert (damage.rule, subject) in found, "\n".join(
        f"{finding.rule}: {finding.subject} {finding.message}" for finding in report.findings
    )


def test_damage_names_are_unique_per_database() -> None:
    names = [(damage.service, damage.name) for damage in DAMAGES]
    assert len(set(names)) == len(names)


def test_every_rule_is_broken_by_a_damage(sample_books: SampleBooks) -> None:
    """A rule that no damage breaks is untested."""
    broken = {damage.rule for damage in DAMAGES}
    rules = set(sample_books.audit().rules)
    assert rules <= broken, rules - broken


def test_finding_has_a_subject_and_a_rendered_message(sample_books: SampleBooks) -> None:
    sample_books.damage("balance", "UPDATE entries SET amount_minor = amount_minor + 1 WHERE balance_after IS NOT NULL")
    report = sample_books.audit()
    assert not report.is_clean
    for finding in report.findings:
        assert finding.subject
        assert not re.search(r"[{}%]|None", finding.message), finding.message
