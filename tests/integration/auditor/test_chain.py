"""The hash chain detects changes to sealed history that no other rule detects."""

from datetime import UTC, datetime, timedelta

import psycopg2
import pytest

from auditor import chain, ledger
from auditor.books import Scope
from common.core.settings import DatabaseSettings
from common.db.engine import Database
from services.balance import chain as sealing
from tests.integration.auditor.conftest import SampleBooks

#: A superuser can also reseal what they have falsified.
REMOVE_SEALS = (
    "DELETE FROM chain_links",
    "DELETE FROM chain_blocks",
)
FALSIFY = "UPDATE transfers SET reference = 'falsified' WHERE kind = 'topup' AND reference = '{topup}'"


def _seal(books: SampleBooks) -> None:
    db = Database(books.database_url("balance"), settings=DatabaseSettings(), application_name="test")
    assert sealing.seal(db)
    db.dispose()


def _head(books: SampleBooks) -> str:
    head = books.audit().head
    assert head is not None
    return f"{head.block_no}:{head.hash}"


def _findings(books: SampleBooks, scope: Scope) -> set[tuple[str, str]]:
    return {(finding.rule, finding.subject) for finding in books.audit(scope).findings}


def test_expected_head_is_found_after_more_blocks(sample_books: SampleBooks) -> None:
    expected = _head(sample_books)
    _seal(sample_books)
    assert _head(sample_books) != expected
    assert _findings(sample_books, Scope(expected_head=expected)) == set()
    assert _findings(sample_books, Scope(expected_head=expected.split(":")[1].upper())) == set()


def test_falsified_and_resealed_history_is_found_only_by_the_expected_head(sample_books: SampleBooks) -> None:
    expected = _head(sample_books)
    sample_books.damage("balance", "UPDATE entries SET created_at = created_at - interval '1 hour'", *REMOVE_SEALS)
    _seal(sample_books)
    assert _findings(sample_books, Scope()) == set(), "without an expected head a resealed chain is consistent"
    assert _findings(sample_books, Scope(expected_head=expected)) == {(chain.EXPECTED_HEAD, "chain")}


def test_truncated_chain_is_found_by_the_expected_head(sample_books: SampleBooks) -> None:
    expected = _head(sample_books)
    sample_books.damage(
        "balance",
        "DELETE FROM chain_links WHERE block_no = {last block}",
        "DELETE FROM chain_blocks WHERE block_no = {last block}",
    )
    assert (chain.EXPECTED_HEAD, "chain") in _findings(sample_books, Scope(expected_head=expected))


def test_chain_without_blocks_does_not_hold_the_expected_head(sample_books: SampleBooks) -> None:
    expected = _head(sample_books)
    sample_books.damage("balance", *REMOVE_SEALS)
    report = sample_books.audit(Scope(expected_head=expected))
    assert {finding.rule for finding in report.findings} == {chain.EXPECTED_HEAD}
    assert report.head is None


@pytest.mark.parametrize("days", [-3, 3])
def test_transfer_with_a_false_time_is_found_after_sealing(sample_books: SampleBooks, days: int) -> None:
    """The time is changed before the regular sealing run covers the transfer."""
    sample_books.damage(
        "balance",
        f"UPDATE transfers SET created_at = created_at + interval '{days} days'"  # noqa: S608
        " WHERE transfer_id = '{hold of late}'",
    )
    _seal(sample_books)
    assert (chain.WHOLE, f"transfer {sample_books.ids['hold of late']}") in _findings(sample_books, Scope())


def test_auditor_and_service_compute_the_same_hash_for_every_kind_of_transfer(sample_books: SampleBooks) -> None:
    """The formula is implemented twice. The sample books hold all kinds and outcomes, and all are sealed here."""
    _seal(sample_books)
    report = sample_books.audit()
    assert report.counts["unsealed"] == 0
    assert ledger.SEALED in report.rules
    assert report.is_clean
    kinds = sample_books.value("balance", "SELECT count(DISTINCT (kind, outcome)) FROM transfers")
    assert int(kinds) == 7


def test_audit_since_a_time_reads_only_later_changes(sample_books: SampleBooks) -> None:
    report = sample_books.audit(Scope(since=datetime.now(UTC) + timedelta(hours=1)))
    assert report.is_clean
    assert report.totals == {}
    assert report.counts["checks"] < sample_books.audit().counts["checks"]


def test_audit_since_a_time_finds_damage_to_later_changes(sample_books: SampleBooks) -> None:
    since = Scope(
        since=datetime.fromisoformat(sample_books.value("balance", "SELECT max(sealed_at) FROM chain_blocks"))
    )
    since = Scope(since=(since.since or datetime.now(UTC)) + timedelta(microseconds=1))
    sample_books.damage(
        "balance", "UPDATE entries SET amount_minor = amount_minor + 1 WHERE transfer_id = '{hold of late}'"
    )
    sample_books.damage("balance", "UPDATE accounts SET balance_minor = balance_minor + 1")
    sample_books.damage("checks", "UPDATE checks SET amount_minor = 1 WHERE check_id = '{late}'")
    sample_books.damage("payments", "UPDATE topups SET amount_minor = 1 WHERE topup_id = '{late topup}'")
    found = {finding.subject for finding in sample_books.audit(since).findings}
    ids = sample_books.ids
    assert {
        f"transfer {ids['hold of late']}",
        f"account {ids['account of alice']}",
        f"check {ids['late']}",
        f"top-up {ids['late topup']}",
    } <= found


def test_audit_since_before_the_first_block_is_complete(sample_books: SampleBooks) -> None:
    assert sample_books.audit(Scope(since=datetime(2020, 1, 1, tzinfo=UTC))).totals != {}


def test_check_with_hold_before_and_ending_after_since_is_compared_with_both(sample_books: SampleBooks) -> None:
    """The hold precedes the block and the ending follows it; the comparison must read both."""
    after = sample_books.value("balance", "SELECT min(sealed_at) + interval '1 microsecond' FROM chain_blocks")
    assert sample_books.audit(Scope(since=datetime.fromisoformat(after))).is_clean


def test_service_role_cannot_change_the_chain(sample_books: SampleBooks) -> None:
    connection = psycopg2.connect(sample_books.database_url("balance").replace("+psycopg2", ""))
    with (
        connection.cursor() as cursor,
        pytest.raises(psycopg2.errors.InsufficientPrivilege, match="chain_links"),
    ):
        cursor.execute("UPDATE chain_links SET hash = sha256('x')")
    connection.close()
