"""The adapter itself, as the kit proves it before it believes anything else (its TCK-00 to TCK-08)."""

import pytest
from pydantic import SecretStr

from tests.faults.conformance.adapter import AdapterSettings, create_app
from tests.faults.conformance.kit import Kit


def test_tck_00_and_01_a_reset_empties_everything(kit: Kit) -> None:
    kit.seed("tck:a", 5_000)
    assert len(kit.journal()) == 2
    kit.reset()
    assert kit.journal() == []
    assert kit.balance("tck:a") == 0


def test_tck_02_a_balance_is_in_minor_units(kit: Kit) -> None:
    kit.seed("tck:a", 12_345)
    assert kit.balance("tck:a") == 12_345


def test_tck_03_an_answer_is_honest(kit: Kit) -> None:
    kit.seed("tck:a", 5_000)
    assert kit.transfer("tck:a", "tck:b", 1_000, "tck-3") == "APPLIED"
    assert kit.balance("tck:b") == 1_000


def test_tck_04_a_rejection_is_an_answer_and_no_error(kit: Kit) -> None:
    kit.seed("tck:a", 100)
    assert kit.transfer("tck:a", "tck:b", 900_000, "tck-4") == "REJECTED"


def test_tck_05_the_journal_is_in_the_order_of_commits(kit: Kit) -> None:
    kit.seed("tck:a", 50_000)
    for number in range(10):
        kit.transfer("tck:a", "tck:b", 100, f"tck5-{number}")
    sequence = [entry["sequence"] for entry in kit.journal()]
    assert sequence == sorted(set(sequence))
    assert len(sequence) == 22


def test_tck_06_a_transfer_adds_both_of_its_legs(kit: Kit) -> None:
    kit.seed("tck:a", 5_000)
    before = len(kit.journal())
    kit.transfer("tck:a", "tck:b", 700, "tck-6")
    assert len(kit.journal()) == before + 2


def test_tck_08_what_it_declares_can_be_seen(kit: Kit) -> None:
    """HASH_CHAIN, REPLAY, OVERDRAFT_GUARD and COMPENSATION; TCK-07, a journal that is no live view, HTTP gives."""
    kit.seed("tck:a", 3_300)
    assert kit.replayed("tck:a") == kit.balance("tck:a") == 3_300
    assert all(len(entry["entryHash"]) == 64 for entry in kit.journal())


def test_the_same_key_with_another_content_is_refused(kit: Kit) -> None:
    kit.seed("tck:a", 5_000)
    kit.transfer("tck:a", "tck:b", 1_000, "key")
    assert kit.transfer("tck:a", "tck:b", 1_001, "key") == "REJECTED"
    assert kit.transfer("tck:a", "tck:c", 1_000, "key") == "REJECTED"
    assert kit.balance("tck:b") == 1_000


def test_names_with_quotes_and_bars_are_only_names(kit: Kit) -> None:
    name = 'a "quoted" | name \\ Ж'
    kit.seed(name, 700)
    assert (kit.balance(name), kit.replayed(name)) == (700, 700)


@pytest.mark.parametrize("database", ["fastcheck_balance", "postgres", "balance"])
def test_it_does_not_start_on_a_database_that_somebody_may_need(database: str) -> None:
    with pytest.raises(ValueError, match="no scratch database"):
        create_app(AdapterSettings(lck_database_url=SecretStr(f"postgresql+psycopg2://x:y@127.0.0.1:1/{database}")))
