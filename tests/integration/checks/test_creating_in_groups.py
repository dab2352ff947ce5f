"""Creating in groups: every request gets the response that it gets alone."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from common.http.client.client import HttpResponse
from services.balance.models import user_account_id
from services.checks.clients import BalanceClient
from services.checks.lifecycle import group_repository, service, tasks
from services.checks.models import number_of
from tests.integration.checks.checks_system import ChecksSystem
from tests.integration.checks.grouping import accept, count_checks, create, in_one_group, outcome
from tests.support.costs import counted


def test_group_of_creates_costs_three_commits(grouped: ChecksSystem) -> None:
    creators = [grouped.new_user(1_000) for _ in range(17)]
    requests = [create(grouped, creator, 100, f"key-{number}") for number, creator in enumerate(creators)]
    with counted(grouped.context.db, grouped.balance.context.db) as cost:
        responses = in_one_group(grouped.context.creations, requests)
        # checks: insert, activate; balance: lock, post, commit.
        assert cost() == (5, 3)
    assert [response.status_code for response in responses] == [201] * 17
    for creator, response in zip(creators, responses, strict=True):
        assert grouped.balance_of(creator) == 900
        assert [check["code"] for check in grouped.active(creator)] == [response.get_json()["code"]]


def test_group_of_creates_gives_each_its_own_outcome(grouped: ChecksSystem) -> None:
    rich, poor, stranger = grouped.new_user(1_000), grouped.new_user(100), grouped.new_user()
    first = grouped.try_create(rich, 10, "used")
    responses = in_one_group(
        grouped.context.creations,
        [
            create(grouped, rich, 100, "a"),
            create(grouped, poor, 150, "b"),
            create(grouped, poor, 50, "c"),
            create(grouped, rich, 10, "used"),
            create(grouped, rich, 11, "used"),
            create(grouped, stranger, 1, "d"),
            create(grouped, rich, 100),
        ],
    )
    assert [outcome(response) for response in responses] == [
        (201, None),
        (409, "insufficient_funds"),
        (201, None),
        (201, None),
        (422, "idempotency_key_reused"),
        (409, "insufficient_funds"),
        (201, None),
    ]
    assert responses[3].get_json() == first.get_json()
    assert responses[3].headers["Idempotency-Replayed"] == "true"
    assert (grouped.balance_of(rich), grouped.balance_of(poor)) == (790, 50)
    # A refusal is final under its key, also when the money has come.
    grouped.top_up(poor, 1_000)
    assert outcome(grouped.try_create(poor, 150, "b")) == (409, "insufficient_funds")


def test_same_key_twice_in_a_group_creates_one_check(grouped: ChecksSystem) -> None:
    creator = grouped.new_user(1_000)
    others = [grouped.new_user(1_000) for _ in range(2)]
    requests = [create(grouped, creator, 100, "k")] * 3 + [create(grouped, creator, 200, "k")]
    requests += [create(grouped, other, 100) for other in others]
    responses = in_one_group(grouped.context.creations, requests)
    assert Counter(map(outcome, responses[:3])).keys() <= {(201, None), (409, "request_in_progress")}
    assert responses[0].status_code == 201
    assert grouped.rows("SELECT count(*) AS n, count(DISTINCT xmin::text) AS writers FROM checks") == [
        {"n": 3, "writers": 1}
    ], "the repeats must not send the whole group alone"
    assert outcome(responses[3]) == (422, "idempotency_key_reused")
    assert grouped.balance_of(creator) == 900
    assert len(grouped.active(creator)) == 1


def test_creator_whose_account_is_locked_does_not_delay_the_group(grouped: ChecksSystem) -> None:
    locked, free = grouped.new_user(1_000), grouped.new_user(1_000)
    finished = threading.Event()

    def create_and_tell() -> Any:
        response = grouped.try_create(free, 100)
        finished.set()
        return response

    def locking() -> bool:
        with grouped.balance.db.transaction() as tx:
            statement = text("SELECT 1 FROM accounts WHERE account_id = :account_id FOR UPDATE")
            tx.execute(statement, {"account_id": user_account_id(locked, "RUB")})
            ready.set()
            return finished.wait(30)

    ready = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        other = threads.submit(locking)
        assert ready.wait(30)
        responses = in_one_group(grouped.context.creations, [create(grouped, locked, 100), create_and_tell])
        assert other.result(30), "the group must end while the account is locked"
    assert [response.status_code for response in responses] == [201, 201]
    assert (grouped.balance_of(locked), grouped.balance_of(free)) == (900, 900)


def test_number_that_is_taken_gets_another_one_alone(grouped: ChecksSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    creator = grouped.new_user(1_000)
    taken = number_of(grouped.create(creator, 10)["fastcheck"])
    numbers = iter([taken, "111111111111", "222222222222"])
    lock = threading.Lock()

    def random_number() -> str:
        with lock:
            return next(numbers)

    monkeypatch.setattr(service, "random_number", random_number)
    responses = in_one_group(grouped.context.creations, [create(grouped, creator, 10, f"n-{n}") for n in range(2)])
    assert [number_of(response.get_json()["fastcheck"]) for response in responses] == ["222222222222", "111111111111"]


def test_group_without_a_response_of_balance_stays_pending_until_it_is_repeated(grouped: ChecksSystem) -> None:
    creator = grouped.new_user(1_000)
    requests = [create(grouped, creator, 100, f"key-{number}") for number in range(5)]
    grouped.balance.down()
    responses = in_one_group(grouped.context.creations, requests)
    assert {outcome(response) for response in responses} == {(503, "temporarily_unavailable")}
    assert count_checks(grouped, "pending") == 5
    grouped.balance.up()
    assert {outcome(response) for response in in_one_group(grouped.context.creations, requests)} == {(201, None)}
    assert grouped.balance_of(creator) == 500
    assert len(grouped.active(creator)) == 5


def test_group_whose_connection_is_lost_before_the_first_commit_fails_as_a_whole(
    grouped: ChecksSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    creator = grouped.new_user(1_000)

    def ends_its_backend(tx: Connection, *_: Any, **__: Any) -> set[UUID]:
        tx.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        raise AssertionError("the connection must be lost")

    monkeypatch.setattr(group_repository, "insert_pending_many", ends_its_backend)
    requests = [create(grouped, creator, 100, f"key-{number}") for number in range(3)]
    responses = in_one_group(grouped.context.creations, requests)
    assert {outcome(response) for response in responses} == {(503, "temporarily_unavailable")}
    assert grouped.rows("SELECT 1 FROM checks") == []


def test_group_that_fails_after_its_first_commit_sends_nothing_alone(
    grouped: ChecksSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that ran again would find its own pending check, or insert a second one without a key."""
    creator = grouped.new_user(1_000)

    def fails(*_: Any) -> None:
        raise OperationalError("UPDATE", None, ConnectionError())

    monkeypatch.setattr(group_repository, "activate_many", fails)
    requests = [create(grouped, creator, 100, key) for key in ("a", "b", None)]
    responses = in_one_group(grouped.context.creations, requests)
    assert {response.status_code for response in responses} <= {500, 503}
    assert count_checks(grouped, "pending") == 3
    grouped.clock.move(seconds=10)
    tasks.finish_pending_checks(grouped.context)
    assert count_checks(grouped, "active") == 3
    assert grouped.balance_of(creator) == 700


def _balance_without_batches(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let balance respond as an older release, which does not know the routes for batches; return the paths called."""
    called: list[str] = []
    post = BalanceClient._post

    def answer(client: BalanceClient, http: Any, target: str, body: Any) -> HttpResponse:
        called.append(target)
        if target.endswith(":batch"):
            return HttpResponse(404, {}, b'{"code": "not_found"}')
        return post(client, http, target, body)

    monkeypatch.setattr(BalanceClient, "_post", answer)
    return called


def test_groups_work_with_a_balance_that_does_not_know_batches(
    grouped: ChecksSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    creator, acceptor = grouped.new_user(1_000), grouped.new_user()
    called = _balance_without_batches(monkeypatch)
    responses = in_one_group(grouped.context.creations, [create(grouped, creator, 100) for _ in range(3)])
    assert [response.status_code for response in responses] == [201] * 3
    accepts = [accept(grouped, acceptor, response.get_json()) for response in responses]
    assert [response.status_code for response in in_one_group(grouped.context.acceptances, accepts)] == [200] * 3
    assert (grouped.balance_of(creator), grouped.balance_of(acceptor)) == (700, 300)
    assert Counter(called) == {
        "/internal/holds:batch": 1,
        "/internal/holds": 3,
        "/internal/settlements:batch": 1,
        "/internal/settlements": 3,
    }


def test_threads_beyond_the_pool_get_no_503_for_want_of_a_connection(grouped: ChecksSystem) -> None:
    """All run alone, because one key is used by all: 64 threads against a pool of 16."""
    creator = grouped.new_user(100_000)
    with ThreadPoolExecutor(64) as threads:
        statuses = Counter(threads.map(lambda _: grouped.try_create(creator, 10, "k").status_code, range(64)))
    assert statuses.keys() <= {201, 409}
    assert grouped.balance_of(creator) == 99_990
