"""Accepting a check: one user receives the money; every other request gets the reason."""

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
from tests.integration.checks.checks_system import ChecksSystem, MovableClock, wrong_code
from tests.support.databases import as_owner
from tests.support.eventually import eventually


def test_accepted_money_is_on_the_balance_at_once(system: ChecksSystem) -> None:
    creator, recipient = system.new_user(50_000), system.new_user()
    check = system.create(creator, 15_000)
    response = system.accept(recipient, check)
    assert response.status_code == 200
    accepted = response.get_json()
    assert set(accepted) == {"fastcheck", "amount", "currency", "acceptedAt", "status"}
    assert (accepted["fastcheck"], accepted["amount"], accepted["status"]) == (check["fastcheck"], 15_000, "used")
    assert (system.balance_of(creator), system.balance_of(recipient), system.escrow_balance()) == (35_000, 15_000, 0)
    assert system.active(creator) == []


def test_event_of_an_accept_is_closed_after_the_response(system: ChecksSystem) -> None:
    creator = system.new_user(1_000)
    assert system.accept(system.new_user(), system.create(creator)).status_code == 200
    assert [row["type"] for row in system.rows("SELECT type FROM outbox")] == ["check.accepted.v1"]
    eventually(lambda: system.open_events() == 0)


def test_event_carries_the_request_id(system: ChecksSystem) -> None:
    creator = system.new_user(1_000)
    response = system.accept(creator, system.create(creator))
    assert system.rows("SELECT request_id FROM outbox") == [{"request_id": response.headers["X-Request-ID"]}]


def test_creator_can_accept_their_own_check(system: ChecksSystem) -> None:
    creator = system.new_user(1_000)
    assert system.accept(creator, system.create(creator)).status_code == 200
    assert system.balance_of(creator) == 1_000


def test_unknown_number_and_wrong_code_get_the_same_response(system: ChecksSystem) -> None:
    creator = system.new_user(1_000)
    check = system.create(creator)
    wrong = system.accept(creator, check, wrong_code(check))
    unknown = system.accept(creator, {"fastcheck": "0000-0000-0000", "code": "0000"})
    assert wrong.status_code == unknown.status_code == 404
    assert wrong.get_json() == unknown.get_json()
    assert wrong.get_json()["code"] == "check_not_found"
    assert {name for name, _ in wrong.headers} == {name for name, _ in unknown.headers}


def test_rejected_check_is_reported_as_unknown(system: ChecksSystem) -> None:
    creator = system.new_user()
    assert system.try_create(creator).status_code == 409
    row = system.rows("SELECT number, check_id, code_ciphertext FROM checks")[0]
    code = system.context.codes.open(row["check_id"], bytes(row["code_ciphertext"]))
    number = row["number"]
    check = {"fastcheck": f"{number[:4]}-{number[4:8]}-{number[8:]}", "code": code}
    assert system.accept(creator, check).status_code == 404
    assert system.cancel(creator, check).status_code == 404


def _accept(system: ChecksSystem, creator: UUID, check: dict[str, str]) -> None:
    assert system.accept(system.new_user(), check).status_code == 200


def _cancel(system: ChecksSystem, creator: UUID, check: dict[str, str]) -> None:
    assert system.cancel(creator, check).status_code == 200


def _let_expire(system: ChecksSystem, creator: UUID, check: dict[str, str]) -> None:
    system.clock.move(days=7)


def _sweep(system: ChecksSystem, creator: UUID, check: dict[str, str]) -> None:
    system.clock.move(days=7)
    assert tasks.expire_due_checks(system.context) == 1


@pytest.mark.parametrize(
    ("end", "status", "code"),
    [
        (_accept, 409, "check_used"),
        (_cancel, 410, "check_cancelled"),
        (_let_expire, 410, "check_expired"),
        (_sweep, 410, "check_expired"),
    ],
)
def test_right_code_on_an_ended_check_reports_its_status(
    system: ChecksSystem, end: Callable[[ChecksSystem, UUID, dict[str, str]], None], status: int, code: str
) -> None:
    creator, recipient = system.new_user(1_000), system.new_user()
    check = system.create(creator)
    end(system, creator, check)
    for response in (system.accept(recipient, check), system.preview(recipient, check)):
        assert (response.status_code, response.get_json()["code"]) == (status, code)
    assert system.accept(recipient, check, wrong_code(check)).status_code == 404
    assert system.balance_of(recipient) == 0


def test_check_can_be_accepted_until_its_expiration_only(system: ChecksSystem) -> None:
    creator = system.new_user(2_000)
    first, second = system.create(creator, expiresIn=60), system.create(creator, expiresIn=60)
    system.clock.move(seconds=59.999)
    assert system.accept(creator, first).status_code == 200
    system.clock.move(seconds=0.001)
    assert system.accept(creator, second).status_code == 410
    assert [check["status"] for check in system.history(creator, type="created")] == ["expired", "used"]


@pytest.mark.parametrize("operation", ["accept", "cancel"])
def test_expiration_is_compared_with_the_time_after_waiting_for_the_row_lock(
    system: ChecksSystem, operation: str
) -> None:
    """The check expires while the request waits for its lock."""
    creator = system.new_user(1_000)
    check = system.create(creator, expiresIn=60)
    system.clock.move(seconds=59)
    with ThreadPoolExecutor(1) as pool:
        with system.context.db.transaction() as tx:
            tx.execute(text("SELECT 1 FROM checks FOR UPDATE"))
            late = pool.submit(system.accept if operation == "accept" else system.cancel, creator, check)
            eventually(lambda: _is_waiting_for_a_lock(system))
            system.clock.move(seconds=2)
        assert late.result().status_code == (410 if operation == "accept" else 409)
    assert [entry["status"] for entry in system.history(creator)] == ["expired"]


def _is_waiting_for_a_lock(system: ChecksSystem) -> bool:
    with system.context.db.autocommit() as tx:
        waiting = text(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(tx.execute(waiting).scalar_one())


def test_one_of_many_concurrent_accepts_succeeds(system: ChecksSystem) -> None:
    creator = system.new_user(1_000)
    check = system.create(creator)
    users = [system.new_user() for _ in range(24)]
    with ThreadPoolExecutor(24) as pool:
        responses = list(pool.map(lambda user: system.accept(user, check), users))
    assert Counter(r.status_code for r in responses) == {200: 1, 409: 23}
    assert {r.get_json()["code"] for r in responses if r.status_code == 409} == {"check_used"}
    winner = users[[r.status_code for r in responses].index(200)]
    assert system.balance_of(winner) == 1_000
    assert sum(system.balance_of(user) for user in users) == 1_000


def test_repeat_without_a_key_reports_the_check_as_used(system: ChecksSystem) -> None:
    creator = system.new_user(1_000)
    check = system.create(creator)
    assert [system.accept(creator, check).status_code for _ in range(2)] == [200, 409]


def test_repeat_with_a_key_gets_the_stored_response(system: ChecksSystem) -> None:
    creator, recipient = system.new_user(1_000), system.new_user()
    check = system.create(creator)
    first = system.accept(recipient, check, key="k")
    system.clock.move(hours=1)
    again = system.accept(recipient, check, key="k")
    assert (again.status_code, again.get_json()) == (200, first.get_json())
    assert again.headers["Idempotency-Replayed"] == "true"
    assert system.accept(system.new_user(), check, key="k").status_code == 409
    assert system.balance_of(recipient) == 1_000


def test_concurrent_requests_with_one_key_accept_once(system: ChecksSystem) -> None:
    creator, recipient = system.new_user(1_000), system.new_user()
    check = system.create(creator)
    with ThreadPoolExecutor(24) as pool:
        responses = list(pool.map(lambda _: system.accept(recipient, check, key="k"), range(24)))
    refused = {r.get_json()["code"] for r in responses if r.status_code != 200}
    assert refused <= {"request_in_progress"}
    assert sum(r.status_code == 200 and "Idempotency-Replayed" not in r.headers for r in responses) == 1
    assert system.balance_of(recipient) == 1_000


def test_wrong_code_repeated_with_its_key_counts_once(system: ChecksSystem) -> None:
    creator, recipient = system.new_user(1_000), system.new_user()
    check = system.create(creator)
    wrong = wrong_code(check)
    first = system.accept(recipient, check, wrong, key="k")
    again = [system.accept(recipient, check, wrong, key="k") for _ in range(6)]
    assert {r.status_code for r in (first, *again)} == {404}
    assert {r.headers["Idempotency-Replayed"] for r in again} == {"true"}
    assert {r.text for r in again} == {first.text}
    assert system.stored(check)["failed_attempts"] == 1
    assert system.accept(recipient, check, key="k").status_code == 422
    assert system.accept(recipient, check, key="k-2").status_code == 200


def test_response_about_a_frozen_check_is_not_stored(system: ChecksSystem) -> None:
    creator, recipient = system.new_user(1_000), system.new_user()
    check = system.create(creator)
    for guess in range(1, 6):
        system.accept(recipient, check, wrong_code(check, guess))
    assert system.accept(recipient, check, key="k").status_code == 429
    system.clock.move(minutes=15)
    assert system.accept(recipient, check, key="k").status_code == 200


def test_concurrent_accept_and_expiry_end_each_check_once(system: ChecksSystem) -> None:
    creator, recipient = system.new_user(60_000), system.new_user()
    checks = [system.create(creator, 1_000, expiresIn=60) for _ in range(60)]
    # The accepts run just before the expiration, the sweep after it: either of them may end each check.
    system.clock.move(seconds=59.999)
    late = MovableClock()
    late.move(seconds=120)
    sweeping = replace(system.context, clock=late)
    with ThreadPoolExecutor(16) as pool:
        work: list[Future[int]] = []
        for number, check in enumerate(checks):
            work.append(pool.submit(lambda check=check: system.accept(recipient, check).status_code))  # type: ignore[misc]
            if number % 2:
                work.append(pool.submit(service.expire_due_checks, sweeping, 1))
        outcomes = Counter(future.result() for future in work)
    expired = outcomes[1] + tasks.expire_due_checks(sweeping)
    assert outcomes[200] + outcomes[410] == 60
    assert expired == outcomes[410] > 0
    assert outcomes[200] > 0
    assert system.balance_of(recipient) == 1_000 * outcomes[200]
    events = Counter(row["type"] for row in system.rows("SELECT type FROM outbox"))
    assert events == Counter({"check.accepted.v1": outcomes[200], "check.expired.v1": expired})


def test_accept_succeeds_while_balance_is_down_and_the_event_stays_open(system: ChecksSystem) -> None:
    creator, recipient = system.new_user(1_000), system.new_user()
    check = system.create(creator)
    system.balance.down()
    assert system.accept(recipient, check, key="k").status_code == 200
    assert system.open_events() == 1
    system.balance.up()
    assert system.balance_of(recipient) == 0
    assert system.accept(recipient, check, key="k").status_code == 200, "a repeat settles the check, too"
    assert system.balance_of(recipient) == 1_000


def test_hanging_balance_delays_the_response_by_its_timeout_only(system: ChecksSystem) -> None:
    creator, recipient = system.new_user(1_000), system.new_user()
    check = system.create(creator)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        settings = system.context.settings.model_copy(update={"balance_url": url, "settle_timeout_seconds": 0.5})
        system.app.extensions["context"] = replace(system.context, balance=BalanceClient.of(settings))
        started = time.monotonic()
        assert system.accept(recipient, check).status_code == 200
        assert 0.4 < time.monotonic() - started < 2.0
    assert system.open_events() == 1


def test_settlement_rejected_by_balance_is_logged_and_the_user_gets_200(
    system: ChecksSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    alarms: list[str] = []
    monkeypatch.setattr("services.checks.lifecycle.service.log.exception", lambda message, **_: alarms.append(message))
    creator, recipient = system.new_user(1_000), system.new_user()
    check = system.create(creator)
    held = system.stored(check)
    with as_owner(system.balance.db) as tx:
        tx.execute(text("ALTER TABLE transfers DISABLE TRIGGER append_only"))
        tx.execute(text("UPDATE transfers SET amount_minor = 999 WHERE subject_id = :check_id"), held)
    assert system.accept(recipient, check).status_code == 200
    assert alarms == [log_events.SETTLEMENT_REJECTED]
    assert system.open_events() == 1


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


def test_malformed_number_or_code_is_not_an_attempt(system: ChecksSystem) -> None:
    creator = system.new_user()
    for body in MALFORMED:
        for path in ("/fastcheck/accept", "/fastcheck/preview"):
            response = system.call(creator, "POST", path, body)
            assert response.status_code == 400, body
            assert response.get_json()["errors"], body
    assert system.rows("SELECT * FROM failed_attempts") == []
