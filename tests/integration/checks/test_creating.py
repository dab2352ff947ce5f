"""Creating a check: its money is held, or the check is rejected."""

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
from tests.integration.checks.checks_system import ChecksSystem, MovableClock


def test_create_holds_the_amount(system: ChecksSystem) -> None:
    creator = system.new_user(50_000)
    response = system.try_create(creator, 15_000, note="for the tickets", expiresIn=3_600)
    assert response.status_code == 201
    check = response.get_json()
    assert set(check) == {"fastcheck", "amount", "currency", "code", "note", "createdAt", "expiration", "status"}
    assert (check["amount"], check["currency"], check["note"], check["status"]) == (
        15_000,
        "RUB",
        "for the tickets",
        "active",
    )
    assert system.balance_of(creator) == 35_000
    assert system.escrow_balance() == 15_000
    assert system.active(creator) == [check]
    assert system.active(system.new_user()) == []


def test_insufficient_funds_hold_nothing(system: ChecksSystem) -> None:
    creator = system.new_user(500)
    response = system.try_create(creator, 501)
    assert (response.status_code, response.get_json()["code"]) == (409, "insufficient_funds")
    assert system.balance_of(creator) == 500
    assert system.active(creator) == []
    system.clock.move(days=100)
    assert system.history(creator) == []


def test_check_expires_after_seven_days_by_default(system: ChecksSystem) -> None:
    creator = system.new_user(5_000)
    row = system.stored(system.create(creator))
    assert (row["expires_at"] - row["created_at"]).total_seconds() == 7 * 86_400
    row = system.stored(system.create(creator, expiresIn=90))
    assert (row["expires_at"] - row["created_at"]).total_seconds() == 90


INVALID_BODIES: list[tuple[dict[str, Any], str]] = [
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


def test_invalid_body_is_rejected_with_the_name_of_the_field(system: ChecksSystem) -> None:
    creator = system.new_user(1_000)
    for body, field in INVALID_BODIES:
        response = system.call(creator, "POST", "/fastcheck", body)
        assert response.status_code == 400, body
        assert list(response.get_json()["errors"]) == [field], body
    assert system.balance_of(creator) == 1_000


def test_empty_note_is_omitted(system: ChecksSystem) -> None:
    assert "note" not in system.create(system.new_user(1_000), note="")


def test_note_can_have_140_characters_of_any_script(system: ChecksSystem) -> None:
    note = "Ж" * 139 + "🎁"
    assert system.create(system.new_user(1_000), note=note)["note"] == note


def test_repeat_with_a_key_gets_the_first_response(system: ChecksSystem) -> None:
    creator = system.new_user(5_000)
    first = system.try_create(creator, key="k-1")
    again = system.try_create(creator, key="k-1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.get_json() == first.get_json()
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert system.balance_of(creator) == 4_000


def test_stored_response_does_not_change_with_the_check(system: ChecksSystem) -> None:
    creator = system.new_user(5_000)
    first = system.try_create(creator, key="k-1").get_json()
    changed = system.call(creator, "POST", f"/fastcheck/{first['fastcheck']}/code").get_json()
    assert system.try_create(creator, key="k-1").get_json() == first
    assert system.accept(creator, changed).status_code == 200
    assert system.try_create(creator, key="k-1").get_json() == first


def test_key_is_bound_to_one_request_of_one_user(system: ChecksSystem) -> None:
    creator, recipient = system.new_user(5_000), system.new_user(5_000)
    first = system.try_create(creator, 100, key="k-1")
    other_body = system.try_create(creator, 101, key="k-1")
    assert (other_body.status_code, other_body.get_json()["code"]) == (422, "idempotency_key_reused")
    of_other_user = system.try_create(recipient, 100, key="k-1")
    assert of_other_user.status_code == 201
    assert of_other_user.get_json()["fastcheck"] != first.get_json()["fastcheck"]


def test_rejection_is_final_for_its_key(system: ChecksSystem) -> None:
    creator = system.new_user()
    assert system.try_create(creator, 500, key="k-1").status_code == 409
    system.top_up(creator, 1_000)
    again = system.try_create(creator, 500, key="k-1")
    assert (again.status_code, again.get_json()["code"]) == (409, "insufficient_funds")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert system.try_create(creator, 500, key="k-2").status_code == 201
    assert system.balance_of(creator) == 500


def test_concurrent_requests_with_one_key_create_one_check(system: ChecksSystem) -> None:
    creator = system.new_user(50_000)
    with ThreadPoolExecutor(24) as pool:
        responses = list(pool.map(lambda _: system.try_create(creator, 1_000, key="k-1"), range(48)))
    outcomes = Counter((r.status_code, r.get_json().get("code")) for r in responses if r.status_code != 201)
    assert set(outcomes) <= {(409, "request_in_progress")}
    assert len({r.get_json()["fastcheck"] for r in responses if r.status_code == 201}) == 1
    assert system.balance_of(creator) == 49_000


def test_concurrent_creates_do_not_overdraw_the_balance(system: ChecksSystem) -> None:
    creator = system.new_user(1_000)
    with ThreadPoolExecutor(16) as pool:
        outcomes = Counter(pool.map(lambda _: system.try_create(creator, 100).status_code, range(40)))
    assert outcomes == {201: 10, 409: 30}
    assert system.balance_of(creator) == 0
    assert len(system.active(creator)) == 10


# The following tests stop the request between two of its commits.


def _killed_after_the_first_commit(system: ChecksSystem, user_id: UUID, amount: int, key: str) -> Result:
    body = f'{{"amount":{amount},"currency":"RUB","note":null,"expires_in":null}}'
    order = Order(amount, "RUB", None, None)
    return service._insert_pending(
        system.context,
        order,
        service._draft(system.context, user_id, order),
        IdempotencyKey.of(user_id, "create", key, body.encode()),
    )


def test_request_killed_before_the_hold_is_finished_by_the_schedule(system: ChecksSystem) -> None:
    creator = system.new_user(5_000)
    _killed_after_the_first_commit(system, creator, 2_000, "k-1")
    assert system.active(creator) == []
    tasks.finish_pending_checks(system.context)
    assert system.balance_of(creator) == 5_000, "the request may still run: its lease has not ended"
    system.clock.move(seconds=10)
    tasks.finish_pending_checks(system.context)
    assert system.balance_of(creator) == 3_000
    assert [check["amount"] for check in system.active(creator)] == [2_000]


def test_request_killed_after_the_hold_holds_the_money_once(system: ChecksSystem) -> None:
    creator = system.new_user(5_000)
    pending = _killed_after_the_first_commit(system, creator, 2_000, "k-1")
    assert system.context.balance.hold(pending.check)
    system.clock.move(seconds=10)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: tasks.finish_pending_checks(system.context), range(4)))
    tasks.finish_pending_checks(system.context)
    assert system.balance_of(creator) == 3_000
    assert len(system.active(creator)) == 1


def test_killed_request_without_funds_is_rejected_for_good(system: ChecksSystem) -> None:
    creator = system.new_user()
    _killed_after_the_first_commit(system, creator, 2_000, "k-1")
    system.clock.move(seconds=10)
    tasks.finish_pending_checks(system.context)
    system.top_up(creator, 5_000)
    response = system.try_create(creator, 2_000, key="k-1")
    assert (response.status_code, response.get_json()["code"]) == (409, "insufficient_funds")
    assert system.balance_of(creator) == 5_000


def test_repeat_of_a_killed_request_finishes_it_after_its_lease(system: ChecksSystem) -> None:
    creator = system.new_user(5_000)
    pending = _killed_after_the_first_commit(system, creator, 2_000, "k-1")
    early = system.try_create(creator, 2_000, key="k-1")
    assert (early.status_code, early.get_json()["code"]) == (409, "request_in_progress")
    system.clock.move(seconds=10)
    late = system.try_create(creator, 2_000, key="k-1")
    assert late.status_code == 201
    assert (late.get_json()["fastcheck"], late.get_json()["code"]) == (pending.check.fastcheck, pending.code)
    assert system.balance_of(creator) == 3_000


def test_create_fails_while_balance_is_down_and_a_repeat_succeeds(system: ChecksSystem) -> None:
    creator = system.new_user(5_000)
    system.balance.down()
    response = system.try_create(creator, 2_000, key="k-1")
    assert (response.status_code, response.get_json()["code"]) == (503, "temporarily_unavailable")
    assert int(response.headers["Retry-After"]) >= 1
    assert system.active(creator) == []
    assert system.try_create(creator, 2_000, key="k-1").status_code == 503
    system.balance.up()
    assert system.try_create(creator, 2_000, key="k-1").status_code == 201
    assert system.try_create(creator, 2_000, key="k-1").headers["Idempotency-Replayed"] == "true"
    assert system.balance_of(creator) == 3_000


def test_conflicting_hold_is_retried_with_backoff_and_logged(
    system: ChecksSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[dict[str, Any]] = []
    monkeypatch.setattr(tasks.log, "error", lambda message, **facts: logged.append({"message": message, **facts}))
    creator = system.new_user(5_000)
    pending = _killed_after_the_first_commit(system, creator, 2_000, "k-1")
    # Balance holds another amount for this check: the check stays pending until an operator decides.
    assert system.context.balance.hold(replace(pending.check, amount_minor=1_999))
    system.clock.move(seconds=10)
    delays = []
    for _ in range(6):
        tasks.finish_pending_checks(system.context)
        row = system.rows("SELECT next_try_at, tries FROM checks")[0]
        delay = row["next_try_at"] - system.clock.now()
        delays.append(round(delay.total_seconds()))
        system.clock.move(seconds=delay.total_seconds())
    assert delays == [5, 10, 20, 40, 60, 60]
    assert logged[-1]["message"] == log_events.CHECKS_PENDING_TOO_LONG
    assert logged[-1]["checks"] == 1


def test_retry_while_balance_is_down_does_not_delay_the_check(system: ChecksSystem) -> None:
    creator = system.new_user(5_000)
    system.balance.down()
    for _ in range(6):
        assert system.try_create(creator, 2_000, key="k-1").status_code == 503
        tasks.finish_pending_checks(system.context)
    system.balance.up()
    assert system.try_create(creator, 2_000, key="k-1").status_code == 201
    assert system.balance_of(creator) == 3_000


def test_pending_checks_are_finished_at_once_when_balance_is_back(system: ChecksSystem) -> None:
    creator = system.new_user(5_000)
    system.balance.down()
    for number in range(3):
        assert system.try_create(creator, 1_000, key=f"k-{number}").status_code == 503
    for _ in range(6):
        tasks.finish_pending_checks(system.context)
    system.balance.up()
    tasks.finish_pending_checks(system.context)
    assert [check["amount"] for check in system.active(creator)] == [1_000, 1_000, 1_000]
    assert system.balance_of(creator) == 2_000


def test_retry_time_set_by_a_fast_clock_does_not_delay_the_check(system: ChecksSystem) -> None:
    creator = system.new_user(5_000)
    _killed_after_the_first_commit(system, creator, 2_000, "k-1")
    ahead = MovableClock()
    ahead.move(days=8)
    system.balance.down()
    tasks.finish_pending_checks(replace(system.context, clock=ahead))
    system.balance.up()
    tasks.finish_pending_checks(system.context)
    assert [check["amount"] for check in system.active(creator)] == [2_000]
    assert system.balance_of(creator) == 3_000


def test_check_held_after_its_expiration_returns_its_money(system: ChecksSystem) -> None:
    creator = system.new_user(5_000)
    system.balance.down()
    assert system.try_create(creator, 2_000, expiresIn=60).status_code == 503
    system.clock.move(seconds=90)
    system.balance.up()
    tasks.finish_pending_checks(system.context)
    assert tasks.expire_due_checks(system.context) == 1
    assert system.rows("SELECT type FROM outbox") == [{"type": "check.expired.v1"}]
