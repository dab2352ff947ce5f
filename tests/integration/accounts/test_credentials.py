"""Logins and passwords: who gets in, who does not, and what he is told."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from common.http.server.identity import TokenIssuer
from tests.integration.accounts.conftest import PASSWORD, Accounts, MakeAccounts

WRONG_PASSWORD = "wrong horse battery"
WRONG = {"message": "wrong login or password", "code": "wrong_credentials"}


def try_to_log_in(accounts: Accounts, login: str, password: str = WRONG_PASSWORD, address: str = "192.0.2.1") -> int:
    body = {"login": login, "password": password}
    return accounts.post("/login", body, address=address).status_code


def test_a_login_is_compared_without_case(accounts: Accounts) -> None:
    session = accounts.register("Anna")
    assert accounts.log_in("aNNa").user_id == session.user_id
    taken = accounts.post("/register", {"login": "ANNA", "password": PASSWORD})
    assert (taken.status_code, taken.get_json()["code"]) == (409, "login_taken")


def test_of_many_who_want_one_login_at_once_one_gets_it(accounts: Accounts) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: accounts.post("/register", {"login": "anna", "password": PASSWORD}), range(8))
        )
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    with accounts.db.autocommit() as tx:
        assert tx.execute(text("SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM sessions)")).one() == (1, 1)


def test_a_wrong_password_and_an_unknown_login_are_one_answer(accounts: Accounts) -> None:
    accounts.register()
    wrong = accounts.post("/login", {"login": "anna", "password": WRONG_PASSWORD})
    unknown = accounts.post("/login", {"login": "nobody", "password": WRONG_PASSWORD})
    assert (wrong.status_code, wrong.get_json()) == (unknown.status_code, unknown.get_json()) == (401, WRONG)
    assert wrong.data == unknown.data
    assert set(wrong.headers.keys()) == set(unknown.headers.keys())


def test_a_wrong_password_and_an_unknown_login_take_the_same_time(make_accounts: MakeAccounts) -> None:
    accounts = make_accounts(failed_logins_burst=1000)
    accounts.register()

    def seconds(login: str) -> float:
        started = time.perf_counter()
        assert try_to_log_in(accounts, login) == 401
        return time.perf_counter() - started

    pairs = [(seconds("anna"), seconds("nobody")) for _ in range(15)]
    known, unknown = (statistics.median(column) for column in zip(*pairs, strict=True))
    assert abs(known - unknown) < 0.5 * min(known, unknown)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"login": "an", "password": PASSWORD}, "login"),
        ({"login": "a" * 65, "password": PASSWORD}, "login"),
        ({"login": "anna smith", "password": PASSWORD}, "login"),
        ({"login": "анна", "password": PASSWORD}, "login"),
        ({"login": "anna\n", "password": PASSWORD}, "login"),
        ({"login": 1234, "password": PASSWORD}, "login"),
        ({"login": "anna", "password": "x" * 257}, "password"),
        ({"login": "anna", "password": None}, "password"),
        ({"login": "anna"}, "password"),
        ({"login": "anna", "password": PASSWORD, "admin": True}, "admin"),
        ([], "body"),
        ("anna", "body"),
    ],
)
@pytest.mark.parametrize("path", ["/register", "/login"])
def test_a_body_that_is_not_as_it_should_be_is_refused(accounts: Accounts, path: str, body: Any, field: str) -> None:
    answer = accounts.post(path, body)
    assert answer.status_code == 400, answer.text
    assert answer.get_json()["code"] == "invalid_request"
    assert list(answer.get_json()["errors"]) == [field]
    assert PASSWORD not in answer.text


@pytest.mark.parametrize("login", ["abc", "a" * 64, "0.9_@+-", "Z" * 3])
@pytest.mark.parametrize("password", ["12345678", "x" * 256, "пароль-пароль", "\x00 \U0001f600 null is fine"])
def test_the_limits_themselves_are_allowed(accounts: Accounts, login: str, password: str) -> None:
    accounts.register(login, password)
    accounts.log_in(login, password)


def test_a_short_password_is_refused_for_a_new_user_and_wrong_for_a_known_one(accounts: Accounts) -> None:
    answer = accounts.post("/register", {"login": "anna", "password": "1234567"})
    assert (answer.status_code, list(answer.get_json()["errors"])) == (400, ["password"])
    accounts.register()
    for login in ("anna", "nobody"):
        answer = accounts.post("/login", {"login": login, "password": "1234567"})
        assert (answer.status_code, answer.get_json()) == (401, WRONG)


def test_too_many_failures_from_one_address_block_it_for_this_login_alone(accounts: Accounts) -> None:
    accounts.register()
    accounts.register("boris")
    assert [try_to_log_in(accounts, "anna") for _ in range(11)] == [401] * 10 + [429]
    blocked = accounts.post("/login", {"login": "anna", "password": PASSWORD})
    assert blocked.status_code == 429
    assert blocked.get_json()["code"] == "too_many_requests"
    assert 55 <= int(blocked.headers["Retry-After"]) <= 60
    assert try_to_log_in(accounts, "anna", PASSWORD, address="198.51.100.7") == 200
    assert try_to_log_in(accounts, "boris", PASSWORD) == 200
    accounts.clock.advance(seconds=60)
    assert try_to_log_in(accounts, "anna", PASSWORD) == 200


def test_a_login_that_does_not_exist_is_blocked_just_the_same(accounts: Accounts) -> None:
    assert [try_to_log_in(accounts, "nobody") for _ in range(11)] == [401] * 10 + [429]


def test_failures_from_many_addresses_add_up(make_accounts: MakeAccounts) -> None:
    accounts = make_accounts(failed_logins_anywhere_burst=5)
    answers = [try_to_log_in(accounts, "anna", address=f"192.0.2.{number}") for number in range(6)]
    assert answers == [401] * 5 + [429]


def test_guesses_at_once_are_counted_all(make_accounts: MakeAccounts) -> None:
    accounts = make_accounts(password_hashes_at_once=2, password_hashes_waiting=62)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: try_to_log_in(accounts, "anna"), range(64)))
    assert set(answers) == {401, 429}
    # Those who were let in before the tenth failure was written: no more than can be under way at once.
    assert answers.count(401) <= 10 + 16
    assert try_to_log_in(accounts, "anna") == 429


def test_the_limit_can_be_switched_off(make_accounts: MakeAccounts) -> None:
    accounts = make_accounts(rate_limit_enabled=False)
    assert {try_to_log_in(accounts, "anna") for _ in range(12)} == {401}
    with accounts.db.autocommit() as tx:
        assert tx.execute(text("SELECT count(*) FROM failed_logins")).scalar_one() == 0


def test_forgiven_failures_are_forgotten(accounts: Accounts) -> None:
    for number in range(4):
        try_to_log_in(accounts, f"user{number}")
    accounts.clock.advance(hours=1)
    try_to_log_in(accounts, "anna")
    with accounts.db.autocommit() as tx:
        assert tx.execute(text("SELECT count(*) FROM failed_logins")).scalar_one() == 2


def test_a_wrong_old_password_changes_nothing_and_is_no_401(accounts: Accounts) -> None:
    here, elsewhere = accounts.register(), accounts.log_in()
    body = {"oldPassword": WRONG_PASSWORD, "newPassword": "another good one"}
    answer = accounts.post("/me/password", body, session=here)
    assert answer.status_code == 403
    assert answer.get_json() == {
        "message": "the old password is wrong",
        "code": "wrong_password",
        "errors": {"oldPassword": "is wrong"},
    }
    assert accounts.is_alive(here)
    assert accounts.is_alive(elsewhere)
    accounts.log_in()


def test_the_old_password_cannot_be_guessed_at_for_long(accounts: Accounts) -> None:
    here = accounts.register()
    body = {"oldPassword": WRONG_PASSWORD, "newPassword": "another good one"}
    answers = [accounts.post("/me/password", body, session=here).status_code for _ in range(11)]
    assert answers == [403] * 10 + [429]


def test_of_two_changes_at_once_one_wins(accounts: Accounts) -> None:
    here = accounts.register()
    bodies = [{"oldPassword": PASSWORD, "newPassword": f"another good one {number}"} for number in range(6)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda body: accounts.post("/me/password", body, session=here).status_code, bodies))
    assert sorted(answers) == [204] + [403] * 5
    accounts.log_in(password=bodies[answers.index(204)]["newPassword"])


def test_only_the_gateway_may_ask(accounts: Accounts) -> None:
    session = accounts.register()
    stranger = TokenIssuer("gateway", "c3RyYW5nZXJzdHJhbmdlcnN0cmFuZ2Vyc3RyYW5nZXI=")
    for headers in ({}, {"Authorization": f"Bearer {stranger.issue('accounts', session.user_id)}"}):
        for path in ("/register", "/login", "/logout", "/logout/all", "/me/password", "/internal/sessions/verify"):
            answer = accounts.client.post(path, json={}, headers=headers)
            assert (answer.status_code, answer.get_json()) == (401, {"message": "not authorized"})
        assert accounts.client.get("/me", headers=headers).status_code == 401


def test_a_user_who_is_no_more_is_not_authorized(accounts: Accounts) -> None:
    session = accounts.register()
    with accounts.db.autocommit() as tx:
        tx.execute(text("DELETE FROM users"))
    assert accounts.get("/me", session).get_json() == {"message": "not authorized"}
    assert not accounts.is_alive(session)


def test_a_full_queue_for_passwords_is_answered_with_come_again(make_accounts: MakeAccounts) -> None:
    accounts = make_accounts(password_hashes_at_once=1, password_hashes_waiting=0)
    slot = accounts.context.passwords._places
    slot.acquire()
    answer = accounts.post("/login", {"login": "anna", "password": PASSWORD})
    slot.release()
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert try_to_log_in(accounts, "anna") == 401
