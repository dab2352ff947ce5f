"""A check is created with its money held, or not at all."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from common.db.idempotency import IdempotencyKey
from services.checks import log_events
from services.checks.lifecycle import service, tasks
from services.checks.models import Order, Result
from tests.integration.checks.world import MovableClock, World


def test_a_check_takes_its_money_from_the_balance(world: World) -> None:
    anna = world.person(50_000)
    response = world.try_create(anna, 15_000, note="for the tickets", expiresIn=3_600)
    assert response.status_code == 201
    check = response.get_json()
    assert set(check) == {"fastcheck", "amount", "currency", "code", "note", "createdAt", "expiration", "status"}
    assert (check["amount"], check["currency"], check["note"], check["status"]) == (
        15_000,
        "RUB",
        "for the tickets",
        "active",
    )
    assert world.money_of(anna) == 35_000
    assert world.money_in_escrow() == 15_000
    assert world.active(anna) == [check]
    assert world.active(world.person()) == []


def test_without_enough_money_nothing_is_held(world: World) -> None:
    anna = world.person(500)
    response = world.try_create(anna, 501)
    assert (response.status_code, response.get_json()["code"]) == (409, "insufficient_funds")
    assert world.money_of(anna) == 500
    assert world.active(anna) == []
    world.clock.move(days=100)
    assert world.history(anna) == []


def test_a_check_lives_seven_days_unless_told_otherwise(world: World) -> None:
    anna = world.person(5_000)
    row = world.stored(world.create(anna))
    assert (row["expires_at"] - row["created_at"]).total_seconds() == 7 * 86_400
    row = world.stored(world.create(anna, expiresIn=90))
    assert (row["expires_at"] - row["created_at"]).total_seconds() == 90


IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    ({}, "amount"),
    ({"amount": 0}, "amount"),
    ({"amount": -5}, "amount"),
    ({"amount": 1.5}, "amount"),
    ({"amount": "100"}, "amount"),
    ({"amount": True}, "amount"),
    ({"amount": 10**13}, "amount"),
    ({"amount": 100, "currency": "XXX"}, "currency"),
    ({"amount": 100, "currency": "USD"}, "currency"),
    ({"amount": 100, "note": "x" * 141}, "note"),
    ({"amount": 100, "note": "a\x00b"}, "note"),
    ({"amount": 100, "expiresIn": 59}, "expiresIn"),
    ({"amount": 100, "expiresIn": 0}, "expiresIn"),
    ({"amount": 100, "expiresIn": 90 * 86_400 + 1}, "expiresIn"),
    ({"amount": 100, "expiresIn": 10**30}, "expiresIn"),
    ({"amount": 100, "colour": "red"}, "colour"),
]


def test_a_wish_that_cannot_be_is_refused_by_field(world: World) -> None:
    anna = world.person(1_000)
    for body, field in IMPOSSIBLE:
        response = world.call(anna, "POST", "/fastcheck", body)
        assert response.status_code == 400, body
        assert list(response.get_json()["errors"]) == [field], body
    assert world.money_of(anna) == 1_000


def test_an_empty_note_is_no_note(world: World) -> None:
    assert "note" not in world.create(world.person(1_000), note="")


def test_a_note_may_have_140_characters_of_any_script(world: World) -> None:
    note = "Ж" * 139 + "🎁"
    assert world.create(world.person(1_000), note=note)["note"] == note


def test_the_same_key_gives_the_first_answer_again(world: World) -> None:
    anna = world.person(5_000)
    first = world.try_create(anna, key="k-1")
    again = world.try_create(anna, key="k-1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.get_json() == first.get_json()
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert world.money_of(anna) == 4_000


def test_the_first_answer_stays_whatever_becomes_of_the_check(world: World) -> None:
    anna = world.person(5_000)
    first = world.try_create(anna, key="k-1").get_json()
    changed = world.call(anna, "POST", f"/fastcheck/{first['fastcheck']}/code").get_json()
    assert world.try_create(anna, key="k-1").get_json() == first
    assert world.accept(anna, changed).status_code == 200
    assert world.try_create(anna, key="k-1").get_json() == first


def test_a_key_belongs_to_one_request_of_one_user(world: World) -> None:
    anna, boris = world.person(5_000), world.person(5_000)
    first = world.try_create(anna, 100, key="k-1")
    other_body = world.try_create(anna, 101, key="k-1")
    assert (other_body.status_code, other_body.get_json()["code"]) == (422, "idempotency_key_reused")
    of_boris = world.try_create(boris, 100, key="k-1")
    assert of_boris.status_code == 201
    assert of_boris.get_json()["fastcheck"] != first.get_json()["fastcheck"]


def test_a_refusal_is_final_for_its_key(world: World) -> None:
    anna = world.person()
    assert world.try_create(anna, 500, key="k-1").status_code == 409
    world.top_up(anna, 1_000)
    again = world.try_create(anna, 500, key="k-1")
    assert (again.status_code, again.get_json()["code"]) == (409, "insufficient_funds")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert world.try_create(anna, 500, key="k-2").status_code == 201
    assert world.money_of(anna) == 500


def test_the_same_key_many_times_at_once_makes_one_check(world: World) -> None:
    anna = world.person(50_000)
    with ThreadPoolExecutor(24) as pool:
        responses = list(pool.map(lambda _: world.try_create(anna, 1_000, key="k-1"), range(48)))
    outcomes = Counter((r.status_code, r.get_json().get("code")) for r in responses if r.status_code != 201)
    assert set(outcomes) <= {(409, "request_in_progress")}
    assert len({r.get_json()["fastcheck"] for r in responses if r.status_code == 201}) == 1
    assert world.money_of(anna) == 49_000


def test_no_overdraft_when_many_checks_are_written_at_once(world: World) -> None:
    anna = world.person(1_000)
    with ThreadPoolExecutor(16) as pool:
        outcomes = Counter(pool.map(lambda _: world.try_create(anna, 100).status_code, range(40)))
    assert outcomes == {201: 10, 409: 30}
    assert world.money_of(anna) == 0
    assert len(world.active(anna)) == 10


# What follows kills the request between its commits: what it would have done next is not done.


def _killed_after_the_first_commit(world: World, user_id: UUID, amount: int, key: str) -> Result:
    body = f'{{"amount":{amount},"currency":"RUB","note":null,"expires_in":null}}'
    return service._insert_pending(
        world.context,
        user_id,
        Order(amount, "RUB", None, None),
        IdempotencyKey.of(user_id, "create", key, body.encode()),
    )


def test_killed_before_the_hold_the_schedule_finishes_it(world: World) -> None:
    anna = world.person(5_000)
    _killed_after_the_first_commit(world, anna, 2_000, "k-1")
    assert world.active(anna) == []
    tasks.finish_pending_checks(world.context)
    assert world.money_of(anna) == 5_000, "the request may still run: its turn is not over"
    world.clock.move(seconds=10)
    tasks.finish_pending_checks(world.context)
    assert world.money_of(anna) == 3_000
    assert [check["amount"] for check in world.active(anna)] == [2_000]


def test_killed_after_the_hold_the_money_is_held_once(world: World) -> None:
    anna = world.person(5_000)
    begun = _killed_after_the_first_commit(world, anna, 2_000, "k-1")
    assert world.context.balance.hold(begun.check)
    world.clock.move(seconds=10)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: tasks.finish_pending_checks(world.context), range(4)))
    tasks.finish_pending_checks(world.context)
    assert world.money_of(anna) == 3_000
    assert len(world.active(anna)) == 1


def test_killed_without_money_the_check_is_rejected_for_ever(world: World) -> None:
    anna = world.person()
    _killed_after_the_first_commit(world, anna, 2_000, "k-1")
    world.clock.move(seconds=10)
    tasks.finish_pending_checks(world.context)
    world.top_up(anna, 5_000)
    response = world.try_create(anna, 2_000, key="k-1")
    assert (response.status_code, response.get_json()["code"]) == (409, "insufficient_funds")
    assert world.money_of(anna) == 5_000


def test_a_repeat_of_a_killed_request_waits_its_turn_and_then_finishes_it(world: World) -> None:
    anna = world.person(5_000)
    begun = _killed_after_the_first_commit(world, anna, 2_000, "k-1")
    early = world.try_create(anna, 2_000, key="k-1")
    assert (early.status_code, early.get_json()["code"]) == (409, "request_in_progress")
    world.clock.move(seconds=10)
    late = world.try_create(anna, 2_000, key="k-1")
    assert late.status_code == 201
    assert (late.get_json()["fastcheck"], late.get_json()["code"]) == (begun.check.fastcheck, begun.code)
    assert world.money_of(anna) == 3_000


def test_with_balance_down_nothing_is_decided_and_a_repeat_decides(world: World) -> None:
    anna = world.person(5_000)
    world.balance.down()
    response = world.try_create(anna, 2_000, key="k-1")
    assert (response.status_code, response.get_json()["code"]) == (503, "temporarily_unavailable")
    assert int(response.headers["Retry-After"]) >= 1
    assert world.active(anna) == []
    assert world.try_create(anna, 2_000, key="k-1").status_code == 503
    world.balance.up()
    assert world.try_create(anna, 2_000, key="k-1").status_code == 201
    assert world.try_create(anna, 2_000, key="k-1").headers["Idempotency-Replayed"] == "true"
    assert world.money_of(anna) == 3_000


def test_the_schedule_asks_again_less_and_less_often_and_tells_of_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(tasks.log, "error", lambda message, **facts: told.append({"message": message, **facts}))
    anna = world.person(5_000)
    begun = _killed_after_the_first_commit(world, anna, 2_000, "k-1")
    # Balance does answer, and has another amount for this check: nothing is decided until a person looks.
    assert world.context.balance.hold(replace(begun.check, amount_minor=1_999))
    world.clock.move(seconds=10)
    waits = []
    for _ in range(6):
        tasks.finish_pending_checks(world.context)
        row = world.rows("SELECT next_try_at, tries FROM checks")[0]
        wait = row["next_try_at"] - world.clock.now()
        waits.append(round(wait.total_seconds()))
        world.clock.move(seconds=wait.total_seconds())
    assert waits == [5, 10, 20, 40, 60, 60]
    assert told[-1]["message"] == log_events.CHECKS_PENDING_TOO_LONG
    assert told[-1]["checks"] == 1


def test_while_balance_is_down_nobody_is_put_off(world: World) -> None:
    anna = world.person(5_000)
    world.balance.down()
    for _ in range(6):
        assert world.try_create(anna, 2_000, key="k-1").status_code == 503
        tasks.finish_pending_checks(world.context)
    world.balance.up()
    assert world.try_create(anna, 2_000, key="k-1").status_code == 201
    assert world.money_of(anna) == 3_000


def test_when_balance_is_back_the_schedule_decides_at_once(world: World) -> None:
    anna = world.person(5_000)
    world.balance.down()
    for number in range(3):
        assert world.try_create(anna, 1_000, key=f"k-{number}").status_code == 503
    for _ in range(6):
        tasks.finish_pending_checks(world.context)
    world.balance.up()
    tasks.finish_pending_checks(world.context)
    assert [check["amount"] for check in world.active(anna)] == [1_000, 1_000, 1_000]
    assert world.money_of(anna) == 2_000


def test_a_clock_that_was_ahead_holds_up_nothing(world: World) -> None:
    anna = world.person(5_000)
    _killed_after_the_first_commit(world, anna, 2_000, "k-1")
    ahead = MovableClock()
    ahead.move(days=8)
    world.balance.down()
    tasks.finish_pending_checks(replace(world.context, clock=ahead))
    world.balance.up()
    tasks.finish_pending_checks(world.context)
    assert [check["amount"] for check in world.active(anna)] == [2_000]
    assert world.money_of(anna) == 3_000


def test_a_check_that_is_decided_after_its_time_gives_its_money_back(world: World) -> None:
    anna = world.person(5_000)
    world.balance.down()
    assert world.try_create(anna, 2_000, expiresIn=60).status_code == 503
    world.clock.move(seconds=90)
    world.balance.up()
    tasks.finish_pending_checks(world.context)
    assert tasks.expire_due_checks(world.context) == 1
    assert world.rows("SELECT type FROM outbox") == [{"type": "check.expired.v1"}]
