"""What the chain of hashes proves that no other rule can: that the past is the past."""

from datetime import UTC, datetime, timedelta

import psycopg2
import pytest

from auditor import chain, ledger
from auditor.books import Scope
from common.core.settings import DatabaseSettings
from common.db.engine import Database
from services.balance import chain as sealing
from tests.integration.audit.conftest import Books

#: Whoever can do everything in the database can also seal anew what he has falsified.
SEAL_ANEW = (
    "DELETE FROM chain_links",
    "DELETE FROM chain_blocks",
)
FALSIFY = "UPDATE transfers SET reference = 'falsified' WHERE kind = 'topup' AND reference = '{topup}'"


def _seal(books: Books) -> None:
    db = Database(books.database_url("balance"), settings=DatabaseSettings(), application_name="test")
    assert sealing.seal(db)
    db.dispose()


def _head(books: Books) -> str:
    head = books.audit().head
    assert head is not None
    return f"{head.block_no}:{head.hash}"


def _findings(books: Books, scope: Scope) -> set[tuple[str, str]]:
    return {(finding.rule, finding.subject) for finding in books.audit(scope).findings}


def test_the_head_that_was_kept_is_found_later(books_of_town: Books) -> None:
    kept = _head(books_of_town)
    _seal(books_of_town)
    assert _head(books_of_town) != kept
    assert _findings(books_of_town, Scope(expected_head=kept)) == set()
    assert _findings(books_of_town, Scope(expected_head=kept.split(":")[1].upper())) == set()


def test_a_past_that_was_falsified_and_sealed_anew_is_found_by_the_kept_head_alone(books_of_town: Books) -> None:
    kept = _head(books_of_town)
    books_of_town.damage("balance", "UPDATE entries SET created_at = created_at - interval '1 hour'", *SEAL_ANEW)
    _seal(books_of_town)
    assert _findings(books_of_town, Scope()) == set(), "without the head there is nothing to tell it by"
    assert _findings(books_of_town, Scope(expected_head=kept)) == {(chain.KEPT_HEAD, "chain")}


def test_the_end_of_the_chain_cut_off_is_found_by_the_kept_head(books_of_town: Books) -> None:
    kept = _head(books_of_town)
    books_of_town.damage(
        "balance",
        "DELETE FROM chain_links WHERE block_no = {last block}",
        "DELETE FROM chain_blocks WHERE block_no = {last block}",
    )
    assert (chain.KEPT_HEAD, "chain") in _findings(books_of_town, Scope(expected_head=kept))


def test_without_any_block_nothing_is_sealed_and_the_kept_head_is_missed(books_of_town: Books) -> None:
    kept = _head(books_of_town)
    books_of_town.damage("balance", *SEAL_ANEW)
    report = books_of_town.audit(Scope(expected_head=kept))
    assert {finding.rule for finding in report.findings} == {chain.KEPT_HEAD}
    assert report.head is None


def test_a_transfer_sealed_under_a_false_time_is_found(books_of_town: Books) -> None:
    """Put in today, dated back, and sealed by the next run in good faith."""
    books_of_town.damage(
        "balance",
        "UPDATE transfers SET created_at = created_at - interval '3 days' WHERE transfer_id = '{hold of late}'",
    )
    _seal(books_of_town)
    hold = f"transfer {books_of_town.ids['hold of late']}"
    assert (chain.WHOLE, hold) in _findings(books_of_town, Scope())


def test_a_transfer_sealed_under_a_time_to_come_is_found(books_of_town: Books) -> None:
    books_of_town.damage(
        "balance",
        "UPDATE transfers SET created_at = created_at + interval '3 days' WHERE transfer_id = '{hold of late}'",
    )
    _seal(books_of_town)
    assert (chain.WHOLE, f"transfer {books_of_town.ids['hold of late']}") in _findings(books_of_town, Scope())


def test_the_auditors_hash_is_that_of_the_service_for_every_kind_of_transfer(books_of_town: Books) -> None:
    """Two texts of one formula: all kinds and outcomes are in the town, and all of them are sealed here."""
    _seal(books_of_town)
    report = books_of_town.audit()
    assert report.counts["unsealed"] == 0
    assert ledger.SEALED in report.rules
    assert report.is_clean
    kinds = books_of_town.value("balance", "SELECT count(DISTINCT (kind, outcome)) FROM transfers")
    assert int(kinds) == 7


def test_only_what_changed_since_is_looked_at(books_of_town: Books) -> None:
    report = books_of_town.audit(Scope(since=datetime.now(UTC) + timedelta(hours=1)))
    assert report.is_clean
    assert report.totals == {}
    assert report.counts["checks"] < books_of_town.audit().counts["checks"]


def test_damage_to_what_changed_since_is_found(books_of_town: Books) -> None:
    since = Scope(
        since=datetime.fromisoformat(books_of_town.value("balance", "SELECT max(sealed_at) FROM chain_blocks"))
    )
    since = Scope(since=(since.since or datetime.now(UTC)) + timedelta(microseconds=1))
    books_of_town.damage(
        "balance", "UPDATE entries SET amount_minor = amount_minor + 1 WHERE transfer_id = '{hold of late}'"
    )
    books_of_town.damage("balance", "UPDATE accounts SET balance_minor = balance_minor + 1")
    books_of_town.damage("checks", "UPDATE checks SET amount_minor = 1 WHERE check_id = '{late}'")
    books_of_town.damage("payments", "UPDATE topups SET amount_minor = 1 WHERE topup_id = '{late topup}'")
    found = {finding.subject for finding in books_of_town.audit(since).findings}
    ids = books_of_town.ids
    assert {
        f"transfer {ids['hold of late']}",
        f"account {ids['account of anna']}",
        f"check {ids['late']}",
        f"top-up {ids['late topup']}",
    } <= found


def test_since_before_the_first_block_is_everything(books_of_town: Books) -> None:
    assert books_of_town.audit(Scope(since=datetime(2020, 1, 1, tzinfo=UTC))).totals != {}


def test_a_check_that_ended_since_and_began_before_is_compared_whole(books_of_town: Books) -> None:
    """Its hold lies before the block, its ending after it: both belong to the comparison."""
    after = books_of_town.value("balance", "SELECT min(sealed_at) + interval '1 microsecond' FROM chain_blocks")
    assert books_of_town.audit(Scope(since=datetime.fromisoformat(after))).is_clean


def test_the_chain_cannot_be_changed_by_the_service_itself(books_of_town: Books) -> None:
    connection = psycopg2.connect(books_of_town.database_url("balance").replace("+psycopg2", ""))
    with (
        connection.cursor() as cursor,
        pytest.raises(psycopg2.errors.IntegrityConstraintViolation, match="append-only"),
    ):
        cursor.execute("UPDATE chain_links SET hash = sha256('x')")
    connection.close()
