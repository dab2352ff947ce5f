"""Logins and passwords: registration, sign-in, limits on failures, change of the password."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from common.http.server.identity import TokenIssuer
from services.accounts.delays import SignInDelays
from tests.integration.accounts.conftest import PASSWORD, Accounts, MakeAccounts
from tests.support.databases import as_owner

WRONG_PASSWORD = "wrong horse battery"
WRONG = {"message": "wrong login or password", "code": "wrong_credentials"}


def try_to_log_in(accounts: Accounts, login: str, password: str = WRONG_PASSWORD, address: str = "192.0.2.1") -> int:
    body = {"login": login, "password": password}
    return accounts.post("/login", body, address=address).status_code


def test_login_is_compared_without_case(accounts: Accounts) -> None:
    session = accounts.register("Alice")
    assert accounts.log_in("aLICE").user_id == session.user_id
    taken = accounts.post("/register", {"login": "ALICE", "password": PASSWORD})
    assert (taken.status_code, taken.get_json()["code"]) == (409, "login_taken")


def test_one_of_many_concurrent_registrations_of_a_login_succeeds(accounts: Accounts) -> None:
    with ThreadPoolExecutor(8) as pool:
        responses = list(
            pool.map(lambda _: accounts.post("/register", {"login": "alice", "password": PASSWORD}), range(8))
        )
    assert sorted(response.status_code for response in responses) == [201] + [409] * 7
    with accounts.db.autocommit() as tx:
        assert tx.execute(text("SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM sessions)")).one() == (1, 1)


def test_wrong_password_and_unknown_login_get_the_same_response(accounts: Accounts) -> None:
    accounts.register()
    wrong = accounts.post("/login", {"login": "alice", "password": WRONG_PASSWORD})
    unknown = accounts.post("/login", {"login": "unknown", "password": WRONG_PASSWORD})
    assert (wrong.status_code, wrong.get_json()) == (unknown.status_code, unknown.get_json()) == (401, WRONG)
    assert wrong.data == unknown.data
    assert set(wrong.headers.keys()) == set(unknown.headers.keys())


def test_wrong_password_and_unknown_login_take_the_same_time(make_accounts: MakeAccounts) -> None:
    accounts = make_accounts(failed_logins_burst=1000)
    accounts.register()

    def seconds(login: str) -> float:
        started = time.perf_counter()
        assert try_to_log_in(accounts, login) == 401
        return time.perf_counter() - started

    pairs = [(seconds("alice"), seconds("unknown")) for _ in range(15)]
    known, unknown = (statistics.median(column) for column in zip(*pairs, strict=True))
    assert abs(known - unknown) < 0.5 * min(known, unknown)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"login": "an", "password": PASSWORD}, "login"),
        ({"login": "a" * 65, "password": PASSWORD}, "login"),
        ({"login": "alice smith", "password": PASSWORD}, "login"),
        ({"login": "анна", "password": PASSWORD}, "login"),
        ({"login": "alice\n", "password": PASSWORD}, "login"),
        ({"login": 1234, "password": PASSWORD}, "login"),
        ({"login": "alice", "password": "x" * 257}, "password"),
        ({"login": "alice", "password": None}, "password"),
        ({"login": "alice"}, "password"),
        ({"login": "alice", "password": PASSWORD, "admin": True}, "admin"),
        ([], "body"),
        ("alice", "body"),
    ],
)
@pytest.mark.parametrize("path", ["/register", "/login"])
def test_invalid_body_is_rejected_with_the_name_of_the_field(
    accounts: Accounts, path: str, body: Any, field: str
) -> None:
    response = accounts.post(path, body)
    assert response.status_code == 400, response.text
    assert response.get_json()["code"] == "invalid_request"
    assert list(response.get_json()["errors"]) == [field]
    assert PASSWORD not in response.text


@pytest.mark.parametrize("login", ["abc", "a" * 64, "0.9_@+-", "Z" * 3])
@pytest.mark.parametrize(
    "password", ["kX9#vQ2z", ("correct horse battery " * 12)[:256], "пароль-пароль", "\x00 \U0001f600 null is fine"]
)
def test_shortest_and_longest_values_are_accepted(accounts: Accounts, login: str, password: str) -> None:
    accounts.register(login, password)
    accounts.log_in(login, password)


def test_short_password_is_rejected_at_registration_and_wrong_at_sign_in(accounts: Accounts) -> None:
    response = accounts.post("/register", {"login": "alice", "password": "1234567"})
    assert (response.status_code, list(response.get_json()["errors"])) == (400, ["password"])
    accounts.register()
    for login in ("alice", "unknown"):
        response = accounts.post("/login", {"login": login, "password": "1234567"})
        assert (response.status_code, response.get_json()) == (401, WRONG)


@pytest.mark.parametrize("password", ["password", "12345678", " " * 8, "alice-alice"])
def test_new_password_that_is_easy_to_guess_is_rejected_and_changes_nothing(accounts: Accounts, password: str) -> None:
    response = accounts.post("/register", {"login": "alice-alice", "password": password})
    assert (response.status_code, response.get_json()["code"]) == (400, "weak_password")
    assert response.get_json()["errors"] == {"password": "is easy to guess"}
    here = accounts.register("alice-alice")
    body = {"oldPassword": PASSWORD, "newPassword": password}
    response = accounts.post("/me/password", body, session=here)
    assert (response.status_code, response.get_json()["errors"]) == (400, {"newPassword": "is easy to guess"})
    accounts.log_in("alice-alice")


class RecordedDelays(SignInDelays):
    """Delays that take no time, with the sign-ins that were delayed."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds, wait=lambda _seconds: None)
        self.delayed: list[tuple[str, str]] = []

    def delay(self, login: str, address: str) -> None:
        self.delayed.append((login, address))
        super().delay(login, address)


@pytest.fixture
def delayed(monkeypatch: pytest.MonkeyPatch, make_accounts: MakeAccounts) -> tuple[Accounts, RecordedDelays]:
    monkeypatch.setattr("services.accounts.context.SignInDelays", RecordedDelays)
    accounts = make_accounts(failed_logins_anywhere_burst=15)
    delays = accounts.context.delays
    assert isinstance(delays, RecordedDelays)
    return accounts, delays


Delayed = tuple[Accounts, RecordedDelays]


def test_failures_from_one_address_delay_it_for_this_login_only(delayed: Delayed) -> None:
    accounts, delays = delayed
    accounts.register()
    accounts.register("bob")
    assert {try_to_log_in(accounts, "alice") for _ in range(10)} == {401}
    assert delays.delayed == []
    assert try_to_log_in(accounts, "alice", PASSWORD) == 200
    assert delays.delayed == [("alice", "192.0.2.1")]
    assert try_to_log_in(accounts, "alice", PASSWORD, address="198.51.100.7") == 200
    assert try_to_log_in(accounts, "bob", PASSWORD) == 200
    accounts.clock.advance(seconds=60)
    assert try_to_log_in(accounts, "alice", PASSWORD) == 200
    assert len(delays.delayed) == 1


def test_unknown_login_is_delayed_like_a_known_one(delayed: Delayed) -> None:
    accounts, delays = delayed
    assert {try_to_log_in(accounts, "unknown") for _ in range(11)} == {401}
    assert delays.delayed == [("unknown", "192.0.2.1")]


def test_failures_from_many_addresses_are_added_up(delayed: Delayed) -> None:
    accounts, delays = delayed
    assert {try_to_log_in(accounts, "alice", address=f"192.0.2.{number}") for number in range(16)} == {401}
    assert delays.delayed == [("alice", "192.0.2.15")]


def test_addresses_of_one_ipv6_customer_are_one_address(delayed: Delayed) -> None:
    accounts, delays = delayed
    assert {try_to_log_in(accounts, "alice", address=f"2001:db8:1:2::{number}") for number in range(11)} == {401}
    assert delays.delayed == [("alice", "2001:db8:1:2::/64")]


def test_known_device_is_not_delayed_by_failures_elsewhere(delayed: Delayed) -> None:
    accounts, delays = delayed
    alice, bob = accounts.register(), accounts.register("bob")
    for number in range(16):
        try_to_log_in(accounts, "alice", address=f"192.0.2.{number % 3}")
    already = len(delays.delayed)
    assert already > 0
    device = f"{alice.user_id}/{UUID(int=1)}"
    body = {"login": "alice", "password": PASSWORD}
    assert accounts.post("/login", body, devices=f"{bob.user_id}/{UUID(int=2)},{device}").status_code == 200
    assert len(delays.delayed) == already
    assert accounts.post("/login", body, devices=f"{bob.user_id}/{UUID(int=2)}").status_code == 200
    assert len(delays.delayed) == already + 1


def test_failures_on_a_known_device_are_limited_on_that_device(delayed: Delayed) -> None:
    accounts, delays = delayed
    alice = accounts.register()
    device = f"{alice.user_id}/{UUID(int=1)}"
    wrong = {"login": "alice", "password": WRONG_PASSWORD}
    responses = [accounts.post("/login", wrong, devices=device).status_code for _ in range(11)]
    assert responses == [401] * 10 + [429]
    blocked = accounts.post("/login", {"login": "alice", "password": PASSWORD}, devices=device)
    assert (blocked.status_code, blocked.get_json()["code"]) == (429, "too_many_requests")
    assert 55 <= int(blocked.headers["Retry-After"]) <= 60
    assert try_to_log_in(accounts, "alice", PASSWORD) == 200
    assert delays.delayed == []


def test_sign_in_takes_as_long_as_the_setting_says(make_accounts: MakeAccounts) -> None:
    accounts = make_accounts(failed_logins_burst=1, failed_login_delay_seconds=0.5)
    assert try_to_log_in(accounts, "alice") == 401
    started = time.monotonic()
    assert try_to_log_in(accounts, "alice") == 401
    assert time.monotonic() - started >= 0.5


def test_concurrent_failures_are_all_counted(make_accounts: MakeAccounts, monkeypatch: pytest.MonkeyPatch) -> None:
    # On a busy machine 16 requests can wait longer for their hashes than the default allows.
    monkeypatch.setattr("services.accounts.context.PASSWORD_HASH_WAIT_SECONDS", 60.0)
    accounts = make_accounts(password_hashes_at_once=2, password_hashes_waiting=62)
    device = f"{accounts.register().user_id}/{UUID(int=1)}"
    body = {"login": "alice", "password": WRONG_PASSWORD}
    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda _: accounts.post("/login", body, devices=device).status_code, range(64)))
    assert set(statuses) == {401, 429}
    # Requests in progress when the tenth failure is written may still fail with 401: at most one per thread.
    assert statuses.count(401) <= 10 + 16
    assert accounts.post("/login", body, devices=device).status_code == 429


def test_login_limit_can_be_disabled(make_accounts: MakeAccounts) -> None:
    accounts = make_accounts(rate_limit_enabled=False)
    assert {try_to_log_in(accounts, "alice") for _ in range(12)} == {401}
    with accounts.db.autocommit() as tx:
        assert tx.execute(text("SELECT count(*) FROM failed_logins")).scalar_one() == 0


def test_failures_that_no_longer_count_are_deleted(accounts: Accounts) -> None:
    for number in range(4):
        try_to_log_in(accounts, f"user{number}")
    accounts.clock.advance(hours=1)
    try_to_log_in(accounts, "alice")
    with accounts.db.autocommit() as tx:
        assert tx.execute(text("SELECT count(*) FROM failed_logins")).scalar_one() == 2


def test_wrong_old_password_is_rejected_with_403_and_changes_nothing(accounts: Accounts) -> None:
    here, elsewhere = accounts.register(), accounts.log_in()
    body = {"oldPassword": WRONG_PASSWORD, "newPassword": "another good one"}
    response = accounts.post("/me/password", body, session=here)
    assert response.status_code == 403
    assert response.get_json() == {
        "message": "the old password is wrong",
        "code": "wrong_password",
        "errors": {"oldPassword": "is wrong"},
    }
    assert accounts.is_alive(here)
    assert accounts.is_alive(elsewhere)
    accounts.log_in()


def test_attempts_on_the_old_password_are_limited(accounts: Accounts) -> None:
    here = accounts.register()
    body = {"oldPassword": WRONG_PASSWORD, "newPassword": "another good one"}
    responses = [accounts.post("/me/password", body, session=here).status_code for _ in range(11)]
    assert responses == [403] * 10 + [429]


def test_attempts_on_the_old_password_in_one_session_do_not_block_another(accounts: Accounts) -> None:
    stolen, own = accounts.register(), accounts.log_in()
    wrong = {"oldPassword": WRONG_PASSWORD, "newPassword": "another good one"}
    for _ in range(11):
        accounts.post("/me/password", wrong, session=stolen)
    right = {"oldPassword": PASSWORD, "newPassword": "another good one"}
    assert accounts.post("/me/password", right, session=stolen).status_code == 429
    assert accounts.post("/me/password", right, session=own).status_code == 204


def test_one_of_many_concurrent_password_changes_succeeds(accounts: Accounts) -> None:
    here = accounts.register()
    bodies = [{"oldPassword": PASSWORD, "newPassword": f"another good one {number}"} for number in range(6)]
    with ThreadPoolExecutor(6) as pool:
        responses = list(pool.map(lambda body: accounts.post("/me/password", body, session=here).status_code, bodies))
    assert sorted(responses) == [204] + [403] * 5
    accounts.log_in(password=bodies[responses.index(204)]["newPassword"])


def test_only_the_gateway_is_authorized(accounts: Accounts) -> None:
    session = accounts.register()
    other_user = TokenIssuer("gateway", "c3RyYW5nZXJzdHJhbmdlcnN0cmFuZ2Vyc3RyYW5nZXI=")
    for headers in ({}, {"Authorization": f"Bearer {other_user.issue('accounts', session.user_id)}"}):
        for path in ("/register", "/login", "/logout", "/logout/all", "/me/password", "/internal/sessions/verify"):
            response = accounts.client.post(path, json={}, headers=headers)
            assert (response.status_code, response.get_json()) == (401, {"message": "not authorized"})
        assert accounts.client.get("/me", headers=headers).status_code == 401


def test_deleted_user_is_not_authorized(accounts: Accounts) -> None:
    session = accounts.register()
    with as_owner(accounts.db) as tx:
        tx.execute(text("DELETE FROM users"))
    assert accounts.get("/me", session).get_json() == {"message": "not authorized"}
    assert not accounts.is_alive(session)


def test_full_queue_for_password_hashes_is_reported_with_retry_after(make_accounts: MakeAccounts) -> None:
    accounts = make_accounts(password_hashes_at_once=1, password_hashes_waiting=0)
    slot = accounts.context.passwords._places
    slot.acquire()
    response = accounts.post("/login", {"login": "alice", "password": PASSWORD})
    slot.release()
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    assert try_to_log_in(accounts, "alice") == 401
