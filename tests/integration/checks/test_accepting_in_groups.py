"""Accepting in groups: every request gets the response that it gets alone."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, text

from common.core.grouping import ALONE
from common.http.client.client import HttpResponse
from services.checks.clients import BalanceClient
from services.checks.lifecycle import group_repository, groups, service
from services.checks.models import number_of
from tests.integration.checks.checks_system import GATEWAY, ChecksSystem, wrong_code
from tests.integration.checks.grouping import accept, in_one_group, outcome
from tests.support.costs import counted


def test_group_of_accepts_costs_two_commits(grouped: ChecksSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    creator = grouped.new_user(10_000)
    acceptors = [grouped.new_user() for _ in range(17)]
    checks = [grouped.create(creator, 100) for _ in acceptors]
    acknowledged: list[object] = []
    monkeypatch.setattr(grouped.context.acknowledger, "acknowledge", acknowledged.append)
    requests = [accept(grouped, user, check, key="k") for user, check in zip(acceptors, checks, strict=True)]
    with counted(grouped.context.db, grouped.balance.context.db) as cost:
        responses = in_one_group(grouped.context.acceptances, requests)
        # checks: lock, save, commit; balance: post, commit.
        assert cost() == (5, 2)
    assert [response.status_code for response in responses] == [200] * 17
    assert [grouped.balance_of(user) for user in acceptors] == [100] * 17
    assert len(acknowledged) == 17
    # A replayed response is the same.
    assert grouped.accept(acceptors[3], checks[3], key="k").get_json() == responses[3].get_json()


def test_group_of_accepts_gives_each_its_own_outcome(grouped: ChecksSystem) -> None:
    creator, acceptor, other = grouped.new_user(10_000), grouped.new_user(), grouped.new_user()
    good, keyed, twice, wrong, cancelled = (grouped.create(creator, 100) for _ in range(5))
    expired = grouped.create(creator, 100, expiresIn=60)
    frozen = grouped.create(creator, 100)
    for guess in range(1, 6):
        grouped.accept(other, frozen, wrong_code(frozen, guess))
    grouped.cancel(creator, cancelled)
    grouped.clock.move(seconds=61)
    first = grouped.accept(acceptor, keyed, key="used")
    responses = in_one_group(
        grouped.context.acceptances,
        [
            accept(grouped, acceptor, good, key="a"),
            accept(grouped, acceptor, twice, key="b"),
            accept(grouped, other, twice, key="b"),
            accept(grouped, acceptor, wrong, wrong_code(wrong), key="c"),
            accept(grouped, acceptor, {"fastcheck": "0000-0000-0000", "code": "0000"}),
            accept(grouped, acceptor, expired),
            accept(grouped, acceptor, cancelled),
            accept(grouped, acceptor, frozen),
            accept(grouped, acceptor, keyed, key="used"),
            accept(grouped, acceptor, good, key="used"),
        ],
    )
    assert [outcome(response) for response in responses] == [
        (200, None),
        (200, None),
        (409, "check_used"),
        (404, "check_not_found"),
        (404, "check_not_found"),
        (410, "check_expired"),
        (410, "check_cancelled"),
        (429, "check_frozen"),
        (200, None),
        (422, "idempotency_key_reused"),
    ]
    assert responses[8].get_json() == first.get_json()
    assert grouped.balance_of(acceptor) == 300
    assert grouped.stored(wrong)["failed_attempts"] == 1
    assert len(grouped.rows("SELECT 1 FROM failed_attempts WHERE user_id = :user_id", user_id=acceptor)) == 2


def test_same_key_twice_in_a_group_accepts_once(grouped: ChecksSystem) -> None:
    creator, acceptor = grouped.new_user(1_000), grouped.new_user()
    one, two = grouped.create(creator, 100), grouped.create(creator, 100)
    responses = in_one_group(
        grouped.context.acceptances,
        [
            accept(grouped, acceptor, one, key="k"),
            accept(grouped, acceptor, one, key="k"),
            accept(grouped, acceptor, two, key="k"),
        ],
    )
    assert [outcome(response) for response in responses] == [(200, None), (200, None), (422, "idempotency_key_reused")]
    assert responses[1].get_json() == responses[0].get_json()
    assert grouped.balance_of(acceptor) == 100


def test_user_without_attempts_left_is_refused_within_a_group(grouped: ChecksSystem) -> None:
    creator, guesser, other = grouped.new_user(1_000), grouped.new_user(), grouped.new_user()
    checks = [grouped.create(creator, 100) for _ in range(2)]
    grouped.rows(
        "INSERT INTO failed_attempts (user_id, attempted_at)"
        " SELECT :user_id, CAST(:at AS timestamptz) FROM generate_series(1, 20) RETURNING 1",
        user_id=guesser,
        at=grouped.clock.now() - timedelta(minutes=1),
    )
    requests = [accept(grouped, guesser, checks[0]), accept(grouped, other, checks[1])]
    responses = in_one_group(grouped.context.acceptances, requests)
    assert [outcome(response) for response in responses] == [(429, "too_many_attempts"), (200, None)]


def test_check_that_is_locked_does_not_delay_the_group(grouped: ChecksSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    creator, acceptor = grouped.new_user(1_000), grouped.new_user()
    locked, free = grouped.create(creator, 100), grouped.create(creator, 100)
    finished, ready = threading.Event(), threading.Event()
    outcomes: list[Any] = []
    accept_many = groups.accept_many

    def recorded(*arguments: Any) -> Any:
        outcomes.extend(accept_many(*arguments))
        finished.set()
        return outcomes

    monkeypatch.setattr(service, "accept_many", recorded)

    def locking() -> bool:
        with grouped.context.db.transaction() as tx:
            statement = text("SELECT 1 FROM checks WHERE number = :number FOR UPDATE")
            tx.execute(statement, {"number": number_of(locked["fastcheck"])})
            ready.set()
            return finished.wait(30)

    with ThreadPoolExecutor(1) as threads:
        other = threads.submit(locking)
        assert ready.wait(30)
        requests = [accept(grouped, acceptor, locked), accept(grouped, acceptor, free)]
        responses = in_one_group(grouped.context.acceptances, requests)
        assert other.result(30), "the group must end while the check is locked"
    assert [each is ALONE for each in outcomes] == [True, False], "the lock must not send the other request alone"
    assert [response.status_code for response in responses] == [200, 200]


def test_group_of_accepts_succeeds_while_balance_is_down(grouped: ChecksSystem) -> None:
    creator, acceptor = grouped.new_user(1_000), grouped.new_user()
    checks = [grouped.create(creator, 100) for _ in range(4)]
    grouped.balance.down()
    responses = in_one_group(
        grouped.context.acceptances, [accept(grouped, acceptor, check, key=check["code"]) for check in checks]
    )
    assert [response.status_code for response in responses] == [200] * 4
    assert grouped.open_events() == 4
    grouped.balance.up()
    for check in checks:
        assert grouped.accept(acceptor, check, key=check["code"]).status_code == 200
    assert grouped.balance_of(acceptor) == 400


def test_group_of_accepts_that_is_rolled_back_runs_alone(
    grouped: ChecksSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    creator, acceptor = grouped.new_user(1_000), grouped.new_user()
    checks = [grouped.create(creator, 100) for _ in range(3)]

    def violates_a_rule(tx: Connection, *_: Any, **__: Any) -> None:
        tx.execute(text("UPDATE checks SET status = 'pending'"))

    monkeypatch.setattr(group_repository, "save_used", violates_a_rule)
    requests = [accept(grouped, acceptor, check) for check in checks]
    assert [response.status_code for response in in_one_group(grouped.context.acceptances, requests)] == [200] * 3
    assert grouped.balance_of(acceptor) == 300


def test_each_event_of_a_group_has_its_own_trace_and_the_call_links_to_all(
    grouped: ChecksSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    creator = grouped.new_user(1_000)
    acceptors = [grouped.new_user() for _ in range(3)]
    checks = [grouped.create(creator, 100) for _ in acceptors]
    sent: list[Any] = []
    post = BalanceClient._post

    def recorded(client: BalanceClient, http: Any, target: str, body: Any) -> HttpResponse:
        sent.append(body)
        return post(client, http, target, body)

    monkeypatch.setattr(BalanceClient, "_post", recorded)

    def request(number: int) -> int:
        headers = {
            "Authorization": f"Bearer {GATEWAY.issue('checks', acceptors[number])}",
            "X-Request-ID": f"request-{number}",
            "traceparent": f"00-{number:032x}-{number:016x}-01",
        }
        body = {"fastcheck": checks[number]["fastcheck"], "code": checks[number]["code"]}
        return grouped.app.test_client().post("/fastcheck/accept", json=body, headers=headers).status_code

    assert in_one_group(grouped.context.acceptances, [partial(request, number) for number in range(3)]) == [200] * 3
    rows = grouped.rows("SELECT request_id, traceparent, payload FROM outbox ORDER BY request_id")
    links = [(f"request-{number}", f"00-{number:032x}-{number:016x}-01") for number in range(3)]
    assert [(row["request_id"], row["traceparent"]) for row in rows] == links
    assert [row["payload"]["acceptor_id"] for row in rows] == [str(acceptor) for acceptor in acceptors]
    assert [(item["requestID"], item["traceparent"]) for item in sent[0]["items"]] == links


def test_64_concurrent_guesses_in_groups_use_up_five_attempts(grouped: ChecksSystem) -> None:
    creator = grouped.new_user(1_000)
    check = grouped.create(creator)
    guessers = [grouped.new_user() for _ in range(64)]
    with ThreadPoolExecutor(64) as threads:
        statuses = Counter(
            threads.map(lambda n: grouped.accept(guessers[n], check, wrong_code(check, n + 1)).status_code, range(64))
        )
    assert statuses == {404: 5, 429: 59}
    assert len(grouped.rows("SELECT 1 FROM failed_attempts")) == 5


def test_one_of_48_concurrent_accepts_in_groups_wins(grouped: ChecksSystem) -> None:
    creator = grouped.new_user(1_000)
    check = grouped.create(creator)
    users = [grouped.new_user() for _ in range(48)]
    with ThreadPoolExecutor(48) as threads:
        outcomes = Counter(outcome(each) for each in threads.map(lambda user: grouped.accept(user, check), users))
    assert outcomes == {(200, None): 1, (409, "check_used"): 47}
    assert sorted(grouped.balance_of(user) for user in users) == [0] * 47 + [1_000]
