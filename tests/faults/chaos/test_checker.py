"""The checker itself: it is content with books that are right, and finds every way in which we can make them wrong."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.faults.chaos.books import Paid, Transfer
from tests.faults.chaos.checker import check
from tests.faults.chaos.small_world import ANNA, BORIS, ESCROW, NOON, SmallWorld

Damage = Callable[[SmallWorld], None]


def rules(world: SmallWorld) -> set[str]:
    return {violation.rule for violation in check(world.books, world.record(), clocks=[])}


def test_right_books_are_right() -> None:
    assert check(SmallWorld().books, SmallWorld().record(), clocks=[]) == []


def _lose_an_entry(world: SmallWorld) -> None:
    world.books.entries.pop()


def _overdraw(world: SmallWorld) -> None:
    world.books.entries.sort(key=lambda entry: entry.transfer_id.startswith("topup"))


def _wrong_balance_after(world: SmallWorld) -> None:
    world.books.entries[0] = replace(world.books.entries[0], balance_after=1)


def _wrong_account(world: SmallWorld) -> None:
    world.books.accounts[-1] = replace(world.books.accounts[-1], balance=7)


def _post_twice(world: SmallWorld) -> None:
    world.books.transfers.append(world.books.transfers[0])


def _end_twice(world: SmallWorld) -> None:
    world.books.transfers.append(Transfer("t", "check_expired", True, "check-used", ANNA, 1_000))


def _accepted_and_not_paid(world: SmallWorld) -> None:
    world.books.transfers = [t for t in world.books.transfers if t.kind != "check_accepted"]
    world.books.entries = [e for e in world.books.entries if not e.transfer_id.startswith("check_accepted")]


def _undecided(world: SmallWorld) -> None:
    world.change_check("active", status="pending")


def _money_for_nothing(world: SmallWorld) -> None:
    world.books.transfers.append(Transfer("t", "check_created", True, "no-check", ANNA, 5))


def _paid_and_not_credited(world: SmallWorld) -> None:
    world.books.paid.append(Paid("order-a-2", "topup-a-2", 100_001))


def _credited_and_not_paid(world: SmallWorld) -> None:
    world.books.paid.clear()


def _expired_too_early(world: SmallWorld) -> None:
    world.books.expired_at["check-expired"] = NOON - timedelta(minutes=1)


def _event_is_left(world: SmallWorld) -> None:
    world.books.open_events.append("event")


def _event_is_parked(world: SmallWorld) -> None:
    world.books.dead_letters.append("event")


def _refused_for_no_reason(world: SmallWorld) -> None:
    next(line for line in world.lines if line.get("operation") == "b-accept" and line["say"] == "answer").update(
        status=404, body={"code": "check_not_found"}
    )


def _answered_500_on_the_way(world: SmallWorld) -> None:
    place = next(place for place, line in enumerate(world.lines) if line["say"] == "answer")
    world.lines.insert(place, {**world.lines[place], "status": 500, "body": {}, "decides": False})


def _another_answer_again(world: SmallWorld) -> None:
    world.lines.append(
        {"who": "a", "say": "again", "operation": "a-active", "kind": "create", "status": 201, "decides": True,
         "body": {"fastcheck": "000000000001", "code": "9999", "amount": 1_000}}
    )  # fmt: skip


def _made_twice(world: SmallWorld) -> None:
    world.books.checks.append(replace(world.books.checks[0], check_id="second", number="000000000009"))


def _promised_and_lost(world: SmallWorld) -> None:
    world.books.checks = [c for c in world.books.checks if c.status != "active"]


def _nobody_asked_for_it(world: SmallWorld) -> None:
    world.change_check("active", note=None)


def _promised_twice(world: SmallWorld) -> None:
    for line in [line for line in world.lines if line.get("operation") == "b-accept"]:
        world.lines.append({**line, "operation": "a-accept", "who": "a"})


def _went_to_another(world: SmallWorld) -> None:
    world.change_check("used", acceptor=ANNA)


def _cancelled_and_still_active(world: SmallWorld) -> None:
    world.change_check("cancelled", status="active")


def _topped_up_twice(world: SmallWorld) -> None:
    world.books.topups.append(replace(world.books.topups[1], topup_id="second"))


def _declined_and_paid(world: SmallWorld) -> None:
    next(line for line in world.lines if line.get("kind") == "decline" and line["say"] == "ask")["kind"] = "pay"


def _told_another_balance(world: SmallWorld) -> None:
    next(line for line in world.lines if line["say"] == "seen")["balance"] += 1


DAMAGES: list[tuple[Damage, str]] = [
    (_lose_an_entry, "every transfer sums to zero"),
    (_overdraw, "no balance is negative at any moment"),
    (_wrong_balance_after, "no balance is negative at any moment"),
    (_wrong_account, "no balance is negative at any moment"),
    (_post_twice, "nothing is moved twice"),
    (_end_twice, "nothing is moved twice"),
    (_accepted_and_not_paid, "every check has exactly the movements that its status demands"),
    (_undecided, "every check has exactly the movements that its status demands"),
    (_money_for_nothing, "no money moves for nothing"),
    (_paid_and_not_credited, "what was paid at the bank is credited, once"),
    (_credited_and_not_paid, "what was paid at the bank is credited, once"),
    (_expired_too_early, "no check expires before its time"),
    (_event_is_left, "every event arrives"),
    (_event_is_parked, "no event is given up"),
    (_refused_for_no_reason, "nobody is refused without a reason"),
    (_answered_500_on_the_way, "nobody is answered 500"),
    (_another_answer_again, "a repeat is answered as the first time"),
    (_made_twice, "one request to create makes one check"),
    (_promised_and_lost, "one request to create makes one check"),
    (_nobody_asked_for_it, "one request to create makes one check"),
    (_promised_twice, "a check is accepted once, by who was told so"),
    (_went_to_another, "a check is accepted once, by who was told so"),
    (_cancelled_and_still_active, "a check has ended as people were told"),
    (_topped_up_twice, "a top-up is what its user did"),
    (_declined_and_paid, "a top-up is what its user did"),
    (_told_another_balance, "everybody has what is his"),
]


@pytest.mark.parametrize(("damage", "rule"), DAMAGES, ids=[damage.__name__.strip("_") for damage, _ in DAMAGES])
def test_damage_is_found(damage: Damage, rule: str) -> None:
    world = SmallWorld()
    damage(world)
    assert rule in rules(world)


def test_a_client_who_knows_nothing_may_have_it_either_way() -> None:
    """The answer to an accept never came: that it happened is right, and so is that it did not."""
    world = SmallWorld()
    world.drop_line(lambda line: line.get("operation") == "b-accept" and line["say"] != "ask")
    assert rules(world) == set()
    _accepted_and_not_paid(world)
    world.change_check("used", status="active", acceptor=None)
    world.books.accounts = [
        replace(account, balance=0) if account.user == BORIS else account for account in world.books.accounts
    ]
    world.drop_line(lambda line: line["say"] == "seen")
    assert rules(world) == set()


def test_a_clock_that_is_ahead_excuses_an_early_end() -> None:
    world = SmallWorld()
    world.books.expired_at["check-expired"] = NOON - timedelta(minutes=1)
    at = (NOON - timedelta(minutes=1)).timestamp()
    assert check(world.books, world.record(), clocks=[(at - 5, at + 5, 3_600.0)]) == []
    assert check(world.books, world.record(), clocks=[(at + 5, at + 9, 3_600.0)]) != []
    assert check(world.books, world.record(), clocks=[(at - 5, at + 5, 30.0)]) != []


def test_escrow_is_not_a_users_balance() -> None:
    """It keeps no balance, so what it would say after an entry is not looked at."""
    world = SmallWorld()
    assert all(entry.balance_after is None for entry in world.books.entries if entry.account_id == ESCROW)
    assert rules(world) == set()
