"""Sessions: start, use, expiry, logout."""

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest
from sqlalchemy import text

from common.core.clock import format_utc
from services.accounts import repository, service
from services.accounts.errors import WrongCredentials
from services.accounts.passwords import Passwords
from tests.integration.accounts.conftest import PASSWORD, Accounts, MakeAccounts


def sessions_in(accounts: Accounts) -> int:
    with accounts.db.autocommit() as tx:
        return int(tx.execute(text("SELECT count(*) FROM sessions")).scalar_one())


def last_use(accounts: Accounts) -> str:
    with accounts.db.autocommit() as tx:
        return format_utc(tx.execute(text("SELECT last_used_at FROM sessions")).scalar_one())


def test_registration_starts_a_session_of_thirty_days(accounts: Accounts) -> None:
    session = accounts.register("Anna.K+1@example")
    assert re.fullmatch("[0-9A-F]{32}", session.session_id)
    assert session.expires_at == format_utc(accounts.clock.now() + timedelta(days=30))
    me = accounts.get("/me", session)
    assert me.get_json() == {
        "userID": str(session.user_id),
        "login": "anna.k+1@example",
        "createdAt": format_utc(accounts.clock.now()),
    }


def test_session_id_is_stored_as_a_hash_only(accounts: Accounts) -> None:
    session = accounts.register()
    with accounts.db.autocommit() as tx:
        row = tx.execute(text("SELECT * FROM sessions")).mappings().one()
        everything = tx.execute(text("SELECT sessions::text || users::text FROM sessions JOIN users USING (user_id)"))
        dump = everything.scalar_one()
    assert bytes(row["session_hash"]) == hashlib.sha256(session.session_id.encode()).digest()
    assert session.session_id.lower() not in dump.lower()
    assert PASSWORD not in dump


def test_verification_returns_the_user_and_the_cache_time_of_a_session(accounts: Accounts) -> None:
    session = accounts.register()
    assert accounts.verify(session).get_json() == {"userID": str(session.user_id), "cacheSeconds": 60}
    accounts.clock.advance(days=30, seconds=-20)
    assert not accounts.is_alive(session)  # idle for too long
    fresh = accounts.log_in()
    for _ in range(31):
        accounts.clock.advance(hours=23)
        accounts.verify(fresh)
    accounts.clock.advance(hours=7, seconds=-10)
    assert accounts.verify(fresh).get_json()["cacheSeconds"] == 10
    accounts.clock.advance(seconds=10)
    assert not accounts.is_alive(fresh)


def test_session_ends_after_a_day_without_use(accounts: Accounts) -> None:
    session = accounts.register()
    for _ in range(3):
        accounts.clock.advance(hours=23)
        assert accounts.is_alive(session)
    accounts.clock.advance(hours=24)
    assert not accounts.is_alive(session)


def test_use_of_a_session_is_recorded_once_a_minute_at_most(accounts: Accounts) -> None:
    session = accounts.register()
    began = last_use(accounts)
    accounts.clock.advance(seconds=59)
    assert accounts.is_alive(session)
    assert last_use(accounts) == began
    accounts.clock.advance(seconds=1)
    assert accounts.is_alive(session)
    assert last_use(accounts) == format_utc(accounts.clock.now())


def test_short_idle_time_shortens_the_cache_time(make_accounts: MakeAccounts) -> None:
    accounts = make_accounts(session_idle_seconds=20)
    session = accounts.register()
    assert accounts.verify(session).get_json()["cacheSeconds"] == 2
    for _ in range(5):
        accounts.clock.advance(seconds=19)
        assert accounts.is_alive(session)
    accounts.clock.advance(seconds=20)
    assert not accounts.is_alive(session)


def test_logout_ends_only_this_session_and_can_be_repeated(accounts: Accounts) -> None:
    one, other = accounts.register(), accounts.log_in()
    other_user = accounts.register("bob")
    assert accounts.post("/logout", session=one).status_code == 204
    assert accounts.post("/logout", session=one).status_code == 204
    assert [accounts.is_alive(session) for session in (one, other, other_user)] == [False, True, True]


def test_user_cannot_end_the_session_of_another_user(accounts: Accounts) -> None:
    user, other_user = accounts.register(), accounts.register("bob")
    with accounts.db.autocommit() as tx:
        repository.end_session(tx, bytes.fromhex(user.session_hash), other_user.user_id)
    assert accounts.is_alive(user)


def test_logout_everywhere_ends_all_sessions_of_the_user(accounts: Accounts) -> None:
    sessions = [accounts.register(), accounts.log_in(), accounts.log_in()]
    other_user = accounts.register("bob")
    assert accounts.post("/logout/all", session=sessions[0]).status_code == 204
    assert not any(accounts.is_alive(session) for session in sessions)
    assert accounts.is_alive(other_user)


def test_new_password_ends_all_other_sessions(accounts: Accounts) -> None:
    here, elsewhere = accounts.register(), accounts.log_in()
    body = {"oldPassword": PASSWORD, "newPassword": "another good one"}
    assert accounts.post("/me/password", body, session=here).status_code == 204
    assert accounts.is_alive(here)
    assert not accounts.is_alive(elsewhere)
    assert accounts.post("/login", {"login": "alice", "password": PASSWORD}).status_code == 401
    assert accounts.is_alive(accounts.log_in(password="another good one"))


def test_sign_in_with_a_password_changed_meanwhile_fails(accounts: Accounts) -> None:
    here = accounts.register()
    matches = accounts.context.passwords.matches

    class SlowPasswords:
        """Change the password between the check of the password and the start of the session."""

        def matches(self, password_hash: str | None, password: str) -> bool:
            response = matches(password_hash, password)
            body = {"oldPassword": PASSWORD, "newPassword": "another good one"}
            assert accounts.post("/me/password", body, session=here).status_code == 204
            return response

    slow = replace(accounts.context, passwords=cast("Passwords", SlowPasswords()))
    with pytest.raises(WrongCredentials):
        service.log_in(slow, "alice", PASSWORD, "192.0.2.1")
    assert sessions_in(accounts) == 1


def test_no_session_of_the_old_password_survives_a_concurrent_change(accounts: Accounts) -> None:
    here = accounts.register()
    body = {"oldPassword": PASSWORD, "newPassword": "another good one"}

    def sign_in(_: int) -> int:
        return accounts.post("/login", {"login": "alice", "password": PASSWORD}).status_code

    with ThreadPoolExecutor(9) as pool:
        attempts = [pool.submit(sign_in, number) for number in range(12)]
        change = pool.submit(accounts.post, "/me/password", body, session=here)
        attempts += [pool.submit(sign_in, number) for number in range(12)]
        assert change.result().status_code == 204
        assert {attempt.result() for attempt in attempts} <= {200, 401}
    # A sign-in that succeeded came before the change, which ended its session.
    assert sessions_in(accounts) == 1


def test_sign_in_deletes_ended_sessions(accounts: Accounts) -> None:
    for login in ("alice", "bob", "carol"):
        accounts.register(login)
    accounts.clock.advance(days=31)
    accounts.log_in("alice")
    assert sessions_in(accounts) == 1


def test_deletion_of_ended_sessions_is_bounded(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository, "CLEARING_BATCH_SIZE", 2)
    for number in range(5):
        accounts.register(f"user{number}")
    accounts.clock.advance(days=31)
    accounts.log_in("user0")
    assert sessions_in(accounts) == 5 - 1 - 2 + 1


def test_least_recently_used_session_ends_when_there_are_too_many(make_accounts: MakeAccounts) -> None:
    accounts = make_accounts(max_sessions_per_user=2)
    first = accounts.register()
    accounts.clock.advance(minutes=2)
    second = accounts.log_in()
    accounts.clock.advance(minutes=2)
    assert accounts.is_alive(first)  # its last use is now later than that of the second
    third = accounts.log_in()
    assert [accounts.is_alive(session) for session in (first, second, third)] == [True, False, True]
