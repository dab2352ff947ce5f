"""The 15 invariants of the Ledger Conformance Kit 1.1.0, as the kit documents them, through the kit's own API.

Fourteen follow the kit's published description of each invariant, the fifteenth its RFC 0001. Where a later release of
the kit asks for more (an unbalanced transaction must be refused), that is asked here too.
"""

import psycopg2
import pytest

from tests.faults.conformance.adapter import GENESIS, entry_hash
from tests.faults.conformance.kit import FUNDING, Kit, burst, fingerprint, signed

Cursor = psycopg2.extensions.cursor


def _unbroken(kit: Kit) -> bool:
    """Whether the kit would find the chain intact."""
    previous = GENESIS
    for entry in kit.journal():
        if entry["prevHash"] != previous or entry["entryHash"] != entry_hash(entry):
            return False
        previous = entry["entryHash"]
    return True


def test_inv_01_every_transaction_is_balanced_per_currency(kit: Kit) -> None:
    kit.seed("acct:a", 10_000)
    assert kit.transfer("acct:a", "acct:b", 4_000, "t1") == "APPLIED"
    refused = kit.post("t2", ("DEBIT", "acct:a", 2_400, "USD"), ("CREDIT", "acct:b", 2_300, "USD"))
    assert refused == "REJECTED"
    sums: dict[tuple[str, str], int] = {}
    for entry in kit.journal():
        place = (entry["transactionId"], entry["currency"])
        sums[place] = sums.get(place, 0) + signed(entry)
    assert list(sums.values()) == [0, 0]
    assert (kit.balance("acct:a"), kit.balance("acct:b")) == (6_000, 4_000)


def test_inv_02_the_journal_is_append_only(kit: Kit) -> None:
    kit.seed("acct:a", 10_000)
    kit.transfer("acct:a", "acct:b", 1_000, "t1")
    before = fingerprint(kit.journal())
    kit.transfer("acct:b", "acct:a", 300, "t2")
    kit.transfer("acct:a", "acct:b", 100, "t3")
    after = fingerprint(kit.journal())
    assert len(after) == len(before) + 4
    assert after[: len(before)] == before


def test_inv_03_the_hash_chain_is_intact(kit: Kit) -> None:
    kit.seed("acct:a", 10_000)
    for number in range(5):
        kit.transfer("acct:a", "acct:b", 100, f"t{number}")
    assert len(kit.journal()) == 12
    assert _unbroken(kit)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE entries SET amount_minor = amount_minor + 1 WHERE entry_id = 1",
        "UPDATE entries SET created_at = created_at - interval '1 second' WHERE entry_id = 2",
        "UPDATE transfers SET amount_minor = amount_minor + 1 WHERE transfer_no = 1",
        "DELETE FROM entries WHERE entry_id IN (3, 4); DELETE FROM transfers WHERE transfer_no = 2",
        "UPDATE chain_links SET hash = sha256('x') WHERE transfer_no = 1",
    ],
)
def test_inv_03_is_earned_a_row_edited_in_the_database_breaks_the_chain(
    kit: Kit, as_superuser: Cursor, damage: str
) -> None:
    kit.seed("acct:a", 10_000)
    kit.transfer("acct:a", "acct:b", 100, "t")
    assert _unbroken(kit)
    as_superuser.execute(damage)
    assert not _unbroken(kit)


def test_inv_04_a_duplicate_is_a_no_op(kit: Kit) -> None:
    kit.seed("acct:a", 10_000)
    assert kit.transfer("acct:a", "acct:b", 2_500, "dup-key") == "APPLIED"
    before = len(kit.journal())
    assert kit.transfer("acct:a", "acct:b", 2_500, "dup-key") == "DUPLICATE"
    assert len(kit.journal()) == before
    assert kit.balance("acct:b") == 2_500


def test_inv_05_concurrent_duplicates_collapse_to_one(kit: Kit) -> None:
    kit.seed("acct:a", 100_000)
    answers = burst(64, lambda _: kit.transfer("acct:a", "acct:b", 2_500, "race-key"))
    assert answers == {"APPLIED": 1, "DUPLICATE": 63}
    assert kit.balance("acct:b") == 2_500


def test_inv_06_no_lost_update_on_a_hot_account(kit: Kit) -> None:
    answers = burst(500, lambda number: kit.transfer(FUNDING, "acct:hot", 100, f"hot-{number}"))
    assert answers == {"APPLIED": 500}
    assert kit.balance("acct:hot") == 50_000


def test_inv_07_value_is_conserved_under_concurrent_transfers(kit: Kit) -> None:
    for number in range(8):
        kit.seed(f"acct:{number}", 10_000)
    answers = burst(
        400, lambda number: kit.transfer(f"acct:{number % 8}", f"acct:{(number + 3) % 8}", 100, f"mv-{number}")
    )
    assert answers == {"APPLIED": 400}
    assert sum(kit.balance(f"acct:{number}") for number in range(8)) == 80_000


def test_inv_08_the_balance_is_the_projection_of_the_journal(kit: Kit) -> None:
    kit.seed("acct:a", 50_000)
    assert burst(200, lambda number: kit.transfer("acct:a", "acct:b", 50, f"proj-{number}")) == {"APPLIED": 200}
    assert kit.balance("acct:a") == kit.replayed("acct:a") == 40_000
    assert kit.balance("acct:b") == kit.replayed("acct:b") == 10_000


def test_inv_09_an_overdraft_is_refused_under_a_concurrent_drain(kit: Kit) -> None:
    kit.seed("acct:a", 10_000)
    answers = burst(20, lambda number: kit.transfer("acct:a", "acct:b", 1_000, f"drain-{number}"))
    assert answers == {"APPLIED": 10, "REJECTED": 10}
    assert (kit.balance("acct:a"), kit.balance("acct:b")) == (0, 10_000)


def test_inv_10_no_precision_is_lost_over_many_small_movements(kit: Kit) -> None:
    kit.seed("acct:a", 100_000)
    for number in range(250):
        assert kit.transfer("acct:a", "acct:b", 1, f"penny-{number}") == "APPLIED"
    assert (kit.balance("acct:a"), kit.balance("acct:b")) == (99_750, 250)


def test_inv_11_currencies_cannot_be_mixed_in_one_transaction(kit: Kit) -> None:
    kit.seed("acct:a", 10_000)
    answer = kit.post("fx-bad", ("DEBIT", "acct:a", 1_000, "USD"), ("CREDIT", "acct:b", 1_000, "EUR"))
    assert answer == "REJECTED"
    assert (kit.balance("acct:a"), kit.balance("acct:b", "EUR")) == (10_000, 0)
    assert len(kit.journal()) == 2


def test_inv_12_a_reversal_compensates_and_deletes_nothing(kit: Kit) -> None:
    kit.seed("acct:a", 10_000)
    kit.transfer("acct:a", "acct:b", 3_000, "orig")
    original = fingerprint(kit.journal())
    kit.transfer("acct:b", "acct:a", 3_000, "comp-of-orig")
    after = fingerprint(kit.journal())
    assert after[: len(original)] == original
    assert len(after) == len(original) + 2
    assert kit.balance("acct:b") == 0


def test_inv_13_the_state_is_rebuilt_from_the_log(kit: Kit) -> None:
    for number in range(6):
        kit.seed(f"acct:{number}", 20_000)
    answers = burst(
        300, lambda number: kit.transfer(f"acct:{number % 6}", f"acct:{(number + 2) % 6}", 300, f"rb-{number}")
    )
    assert answers == {"APPLIED": 300}
    for number in range(6):
        assert kit.balance(f"acct:{number}") == kit.replayed(f"acct:{number}")


def test_inv_14_the_order_of_each_account_is_monotonic(kit: Kit) -> None:
    kit.seed("acct:a", 50_000)
    assert burst(150, lambda number: kit.transfer("acct:a", "acct:b", 100, f"seq-{number}")) == {"APPLIED": 150}
    by_account: dict[str, list[int]] = {}
    for entry in kit.journal():
        by_account.setdefault(entry["accountId"], []).append(entry["accountSequence"])
    assert set(by_account) == {"acct:a", "acct:b", FUNDING}
    for numbers in by_account.values():
        assert numbers == sorted(set(numbers))


def test_inv_15_a_duplicate_of_a_refused_transaction_is_not_reported_as_applied(kit: Kit) -> None:
    kit.seed("acct:a", 1_000)
    answers = burst(32, lambda _: kit.transfer("acct:a", "acct:b", 5_000, "cannot-be-funded"))
    assert answers == {"REJECTED": 32}
    assert (kit.balance("acct:a"), kit.balance("acct:b")) == (1_000, 0)
    kit.seed("acct:a", 9_000)
    assert kit.transfer("acct:a", "acct:b", 5_000, "cannot-be-funded") == "REJECTED", "a refusal is final"
    assert kit.transfer("acct:a", "acct:b", 5_000, "a new key") == "APPLIED", "a new key is a new transaction"
