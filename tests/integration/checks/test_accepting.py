"""Whoever enters number and code first has the money; everybody else is told why not."""

import socket
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import text

from services.checks import log_events
from services.checks.clients import BalanceClient
from services.checks.lifecycle import service, tasks
from tests.integration.checks.world import MovableClock, World, wrong_code
from tests.support.eventually import eventually


def test_the_money_is_there_at_the_next_look(world: World) -> None:
    anna, boris = world.person(50_000), world.person()
    check = world.create(anna, 15_000)
    response = world.accept(boris, check)
    assert response.status_code == 200
    accepted = response.get_json()
    assert set(accepted) == {"fastcheck", "amount", "currency", "acceptedAt", "status"}
    assert (accepted["fastcheck"], accepted["amount"], accepted["status"]) == (check["fastcheck"], 15_000, "used")
    assert (world.money_of(anna), world.money_of(boris), world.money_in_escrow()) == (35_000, 15_000, 0)
    assert world.active(anna) == []


def test_the_event_is_closed_behind_the_back_of_the_request(world: World) -> None:
    anna = world.person(1_000)
    assert world.accept(world.person(), world.create(anna)).status_code == 200
    assert [row["type"] for row in world.rows("SELECT type FROM outbox")] == ["check.accepted.v1"]
    eventually(lambda: world.open_events() == 0)


def test_the_event_carries_the_id_of_the_request(world: World) -> None:
    anna = world.person(1_000)
    response = world.accept(anna, world.create(anna))
    assert world.rows("SELECT request_id FROM outbox") == [{"request_id": response.headers["X-Request-ID"]}]


def test_the_creator_may_accept_his_own_check(world: World) -> None:
    anna = world.person(1_000)
    assert world.accept(anna, world.create(anna)).status_code == 200
    assert world.money_of(anna) == 1_000


def test_an_unknown_number_and_a_wrong_code_are_one_answer(world: World) -> None:
    anna = world.person(1_000)
    check = world.create(anna)
    wrong = world.accept(anna, check, wrong_code(check))
    unknown = world.accept(anna, {"fastcheck": "0000-0000-0000", "code": "0000"})
    assert wrong.status_code == unknown.status_code == 404
    assert wrong.get_json() == unknown.get_json()
    assert wrong.get_json()["code"] == "check_not_found"
    assert {name for name, _ in wrong.headers} == {name for name, _ in unknown.headers}


def test_a_check_without_money_behind_it_is_unknown(world: World) -> None:
    anna = world.person()
    assert world.try_create(anna).status_code == 409
    row = world.rows("SELECT number, check_id, code_ciphertext FROM checks")[0]
    code = world.context.codes.open(row["check_id"], bytes(row["code_ciphertext"]))
    number = row["number"]
    check = {"fastcheck": f"{number[:4]}-{number[4:8]}-{number[8:]}", "code": code}
    assert world.accept(anna, check).status_code == 404
    assert world.cancel(anna, check).status_code == 404


def _accept(world: World, creator: UUID, check: dict[str, str]) -> None:
    assert world.accept(world.person(), check).status_code == 200


def _cancel(world: World, creator: UUID, check: dict[str, str]) -> None:
    assert world.cancel(creator, check).status_code == 200


def _let_expire(world: World, creator: UUID, check: dict[str, str]) -> None:
    world.clock.move(days=7)


def _sweep(world: World, creator: UUID, check: dict[str, str]) -> None:
    world.clock.move(days=7)
    assert tasks.expire_due_checks(world.context) == 1


@pytest.mark.parametrize(
    ("end", "status", "code"),
    [
        (_accept, 409, "check_used"),
        (_cancel, 410, "check_cancelled"),
        (_let_expire, 410, "check_expired"),
        (_sweep, 410, "check_expired"),
    ],
)
def test_with_the_right_code_one_learns_how_it_ended(
    world: World, end: Callable[[World, UUID, dict[str, str]], None], status: int, code: str
) -> None:
    anna, boris = world.person(1_000), world.person()
    check = world.create(anna)
    end(world, anna, check)
    for response in (world.accept(boris, check), world.preview(boris, check)):
        assert (response.status_code, response.get_json()["code"]) == (status, code)
    assert world.accept(boris, check, wrong_code(check)).status_code == 404
    assert world.money_of(boris) == 0


def test_until_the_very_moment_of_its_expiration_and_no_longer(world: World) -> None:
    anna = world.person(2_000)
    first, second = world.create(anna, expiresIn=60), world.create(anna, expiresIn=60)
    world.clock.move(seconds=59.999)
    assert world.accept(anna, first).status_code == 200
    world.clock.move(seconds=0.001)
    assert world.accept(anna, second).status_code == 410
    assert [check["status"] for check in world.history(anna, type="created")] == ["expired", "used"]


@pytest.mark.parametrize("deed", ["accept", "cancel"])
def test_whoever_waited_for_the_check_is_judged_by_the_time_at_which_he_got_it(world: World, deed: str) -> None:
    """While he waits the check may expire, and somebody else be told so."""
    anna = world.person(1_000)
    check = world.create(anna, expiresIn=60)
    world.clock.move(seconds=59)
    with ThreadPoolExecutor(1) as pool:
        with world.context.db.transaction() as tx:
            tx.execute(text("SELECT 1 FROM checks FOR UPDATE"))
            late = pool.submit(world.accept if deed == "accept" else world.cancel, anna, check)
            eventually(lambda: _somebody_waits_for_a_lock(world))
            world.clock.move(seconds=2)
        assert late.result().status_code == (410 if deed == "accept" else 409)
    assert [entry["status"] for entry in world.history(anna)] == ["expired"]


def _somebody_waits_for_a_lock(world: World) -> bool:
    with world.context.db.autocommit() as tx:
        waiting = text(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(tx.execute(waiting).scalar_one())


def test_exactly_one_of_many_gets_it(world: World) -> None:
    anna = world.person(1_000)
    check = world.create(anna)
    people = [world.person() for _ in range(24)]
    with ThreadPoolExecutor(24) as pool:
        responses = list(pool.map(lambda person: world.accept(person, check), people))
    assert Counter(r.status_code for r in responses) == {200: 1, 409: 23}
    assert {r.get_json()["code"] for r in responses if r.status_code == 409} == {"check_used"}
    winner = people[[r.status_code for r in responses].index(200)]
    assert world.money_of(winner) == 1_000
    assert sum(world.money_of(person) for person in people) == 1_000


def test_without_a_key_a_repeat_is_told_that_it_is_used(world: World) -> None:
    anna = world.person(1_000)
    check = world.create(anna)
    assert [world.accept(anna, check).status_code for _ in range(2)] == [200, 409]


def test_with_a_key_a_repeat_gets_its_answer_again(world: World) -> None:
    anna, boris = world.person(1_000), world.person()
    check = world.create(anna)
    first = world.accept(boris, check, key="k")
    world.clock.move(hours=1)
    again = world.accept(boris, check, key="k")
    assert (again.status_code, again.get_json()) == (200, first.get_json())
    assert again.headers["Idempotency-Replayed"] == "true"
    assert world.accept(world.person(), check, key="k").status_code == 409
    assert world.money_of(boris) == 1_000


def test_the_same_key_at_once_accepts_once(world: World) -> None:
    anna, boris = world.person(1_000), world.person()
    check = world.create(anna)
    with ThreadPoolExecutor(24) as pool:
        responses = list(pool.map(lambda _: world.accept(boris, check, key="k"), range(24)))
    refused = {r.get_json()["code"] for r in responses if r.status_code != 200}
    assert refused <= {"request_in_progress"}
    assert sum(r.status_code == 200 and "Idempotency-Replayed" not in r.headers for r in responses) == 1
    assert world.money_of(boris) == 1_000


def test_a_wrong_code_repeated_under_its_key_counts_once(world: World) -> None:
    anna, boris = world.person(1_000), world.person()
    check = world.create(anna)
    wrong = wrong_code(check)
    first = world.accept(boris, check, wrong, key="k")
    again = [world.accept(boris, check, wrong, key="k") for _ in range(6)]
    assert {r.status_code for r in (first, *again)} == {404}
    assert {r.headers["Idempotency-Replayed"] for r in again} == {"true"}
    assert {r.text for r in again} == {first.text}
    assert world.stored(check)["failed_attempts"] == 1
    assert world.accept(boris, check, key="k").status_code == 422
    assert world.accept(boris, check, key="k-2").status_code == 200


def test_a_frozen_answer_is_not_remembered(world: World) -> None:
    anna, boris = world.person(1_000), world.person()
    check = world.create(anna)
    for guess in range(1, 6):
        world.accept(boris, check, wrong_code(check, guess))
    assert world.accept(boris, check, key="k").status_code == 429
    world.clock.move(minutes=15)
    assert world.accept(boris, check, key="k").status_code == 200


def test_accepting_and_expiring_meet_and_one_wins(world: World) -> None:
    anna, boris = world.person(60_000), world.person()
    checks = [world.create(anna, 1_000, expiresIn=60) for _ in range(60)]
    # For those who accept it is the last moment, for the sweep the first one after it: both are right about all checks.
    world.clock.move(seconds=59.999)
    late = MovableClock()
    late.move(seconds=120)
    sweeping = replace(world.context, clock=late)
    with ThreadPoolExecutor(16) as pool:
        work: list[Future[int]] = []
        for number, check in enumerate(checks):
            work.append(pool.submit(lambda check=check: world.accept(boris, check).status_code))  # type: ignore[misc]
            if number % 2:
                work.append(pool.submit(service.expire_due_checks, sweeping, 1))
        outcomes = Counter(future.result() for future in work)
    expired = outcomes[1] + tasks.expire_due_checks(sweeping)
    assert outcomes[200] + outcomes[410] == 60
    assert expired == outcomes[410] > 0
    assert outcomes[200] > 0
    assert world.money_of(boris) == 1_000 * outcomes[200]
    events = Counter(row["type"] for row in world.rows("SELECT type FROM outbox"))
    assert events == Counter({"check.accepted.v1": outcomes[200], "check.expired.v1": expired})


def test_with_balance_down_the_answer_is_given_and_the_event_stays_open(world: World) -> None:
    anna, boris = world.person(1_000), world.person()
    check = world.create(anna)
    world.balance.down()
    assert world.accept(boris, check, key="k").status_code == 200
    assert world.open_events() == 1
    world.balance.up()
    assert world.money_of(boris) == 0
    assert world.accept(boris, check, key="k").status_code == 200, "a repeat brings the money, too"
    assert world.money_of(boris) == 1_000


def test_a_balance_that_hangs_delays_the_answer_by_no_more_than_its_bound(world: World) -> None:
    anna, boris = world.person(1_000), world.person()
    check = world.create(anna)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        settings = world.context.settings.model_copy(update={"balance_url": url, "settle_timeout_seconds": 0.5})
        world.app.extensions["context"] = replace(world.context, balance=BalanceClient.of(settings))
        started = time.monotonic()
        assert world.accept(boris, check).status_code == 200
        assert 0.4 < time.monotonic() - started < 2.0
    assert world.open_events() == 1


def test_a_contradiction_in_the_books_is_an_alarm_and_not_the_users_fault(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    alarms: list[str] = []
    monkeypatch.setattr("services.checks.lifecycle.service.log.exception", lambda message, **_: alarms.append(message))
    anna, boris = world.person(1_000), world.person()
    check = world.create(anna)
    held = world.stored(check)
    with world.balance.db.autocommit() as tx:
        tx.execute(text("ALTER TABLE transfers DISABLE TRIGGER append_only"))
        tx.execute(text("UPDATE transfers SET amount_minor = 999 WHERE subject_id = :check_id"), held)
    assert world.accept(boris, check).status_code == 200
    assert alarms == [log_events.SETTLEMENT_REJECTED]
    assert world.open_events() == 1


MALFORMED: list[dict[str, object]] = [
    {},
    {"fastcheck": "1234-5678-0001"},
    {"fastcheck": "123456780001", "code": "1234"},
    {"fastcheck": "1234-5678-000", "code": "1234"},
    {"fastcheck": "1234-5678-0001\n", "code": "1234"},
    {"fastcheck": "١٢٣٤-5678-0001", "code": "1234"},
    {"fastcheck": "1234-5678-0001", "code": "123"},
    {"fastcheck": "1234-5678-0001", "code": "12345"},
    {"fastcheck": "1234-5678-0001", "code": 1234},
    {"fastcheck": "1234-5678-0001", "code": "1234", "more": 1},
]


def test_what_is_no_number_or_no_code_is_no_attempt(world: World) -> None:
    anna = world.person()
    for body in MALFORMED:
        for path in ("/fastcheck/accept", "/fastcheck/preview"):
            response = world.call(anna, "POST", path, body)
            assert response.status_code == 400, body
            assert response.get_json()["errors"], body
    assert world.rows("SELECT * FROM failed_attempts") == []
