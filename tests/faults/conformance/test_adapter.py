"""The adapter, as the kit tests it before anything else (TCK-00 to TCK-08).

The invariants prove TCK-02 (minor units), TCK-03 and TCK-04 (true responses, rejections) and TCK-06 (both legs).
"""

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


def test_tck_05_the_journal_is_in_the_order_of_commits(kit: Kit) -> None:
    kit.seed("tck:a", 50_000)
    for number in range(10):
        kit.transfer("tck:a", "tck:b", 100, f"tck5-{number}")
    sequence = [entry["sequence"] for entry in kit.journal()]
    assert sequence == sorted(set(sequence))
    assert len(sequence) == 22


def test_tck_08_declared_capabilities_are_visible(kit: Kit) -> None:
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


def test_names_may_contain_quotes_and_bars(kit: Kit) -> None:
    name = 'a "quoted" | name \\ Ж'
    kit.seed(name, 700)
    assert (kit.balance(name), kit.replayed(name)) == (700, 700)


@pytest.mark.parametrize("database", ["fastcheck_balance", "postgres", "balance"])
def test_adapter_does_not_start_on_a_database_that_is_not_scratch(database: str) -> None:
    with pytest.raises(ValueError, match="no scratch database"):
        create_app(AdapterSettings(lck_database_url=SecretStr(f"postgresql+psycopg2://x:y@127.0.0.1:1/{database}")))
