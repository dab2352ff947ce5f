"""How a session begins, lives and ends."""

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


def test_registering_begins_a_session_of_thirty_days(accounts: Accounts) -> None:
    session = accounts.register("Anna.K+1@example")
    assert re.fullmatch("[0-9A-F]{32}", session.session_id)
    assert session.expires_at == format_utc(accounts.clock.now() + timedelta(days=30))
    me = accounts.get("/me", session)
    assert me.get_json() == {
        "userID": str(session.user_id),
        "login": "anna.k+1@example",
        "createdAt": format_utc(accounts.clock.now()),
    }


def test_a_session_id_is_stored_as_its_hash_alone(accounts: Accounts) -> None:
    session = accounts.register()
    with accounts.db.autocommit() as tx:
        row = tx.execute(text("SELECT * FROM sessions")).mappings().one()
        everything = tx.execute(text("SELECT sessions::text || users::text FROM sessions JOIN users USING (user_id)"))
        dump = everything.scalar_one()
    assert bytes(row["session_hash"]) == hashlib.sha256(session.session_id.encode()).digest()
    assert session.session_id.lower() not in dump.lower()
    assert PASSWORD not in dump


def test_a_session_tells_whose_it_is_and_for_how_long_that_may_be_remembered(accounts: Accounts) -> None:
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


def test_a_session_ends_after_a_day_without_use(accounts: Accounts) -> None:
    session = accounts.register()
    for _ in range(3):
        accounts.clock.advance(hours=23)
        assert accounts.is_alive(session)
    accounts.clock.advance(hours=24)
    assert not accounts.is_alive(session)


def test_a_use_is_noted_once_a_minute_at_most(accounts: Accounts) -> None:
    session = accounts.register()
    began = last_use(accounts)
    accounts.clock.advance(seconds=59)
    assert accounts.is_alive(session)
    assert last_use(accounts) == began
    accounts.clock.advance(seconds=1)
    assert accounts.is_alive(session)
    assert last_use(accounts) == format_utc(accounts.clock.now())


def test_short_idle_times_are_kept_and_make_the_memory_short(make_accounts: MakeAccounts) -> None:
    accounts = make_accounts(session_idle_seconds=20)
    session = accounts.register()
    assert accounts.verify(session).get_json()["cacheSeconds"] == 2
    for _ in range(5):
        accounts.clock.advance(seconds=19)
        assert accounts.is_alive(session)
    accounts.clock.advance(seconds=20)
    assert not accounts.is_alive(session)


def test_logging_out_ends_this_session_and_no_other_and_may_be_repeated(accounts: Accounts) -> None:
    one, other = accounts.register(), accounts.log_in()
    stranger = accounts.register("boris")
    assert accounts.post("/logout", session=one).status_code == 204
    assert accounts.post("/logout", session=one).status_code == 204
    assert [accounts.is_alive(session) for session in (one, other, stranger)] == [False, True, True]


def test_nobody_ends_the_session_of_another(accounts: Accounts) -> None:
    anna, boris = accounts.register(), accounts.register("boris")
    with accounts.db.autocommit() as tx:
        repository.end_session(tx, bytes.fromhex(anna.session_hash), boris.user_id)
    assert accounts.is_alive(anna)


def test_logging_out_everywhere_ends_all_sessions_of_the_user(accounts: Accounts) -> None:
    sessions = [accounts.register(), accounts.log_in(), accounts.log_in()]
    stranger = accounts.register("boris")
    assert accounts.post("/logout/all", session=sessions[0]).status_code == 204
    assert not any(accounts.is_alive(session) for session in sessions)
    assert accounts.is_alive(stranger)


def test_a_new_password_ends_all_sessions_but_this_one(accounts: Accounts) -> None:
    here, elsewhere = accounts.register(), accounts.log_in()
    body = {"oldPassword": PASSWORD, "newPassword": "another good one"}
    assert accounts.post("/me/password", body, session=here).status_code == 204
    assert accounts.is_alive(here)
    assert not accounts.is_alive(elsewhere)
    assert accounts.post("/login", {"login": "anna", "password": PASSWORD}).status_code == 401
    assert accounts.is_alive(accounts.log_in(password="another good one"))


def test_a_session_cannot_begin_with_a_password_that_was_changed_meanwhile(accounts: Accounts) -> None:
    here = accounts.register()
    matches = accounts.context.passwords.matches

    class PasswordsThatAreSlow:
        """Between the check of the password and the start of the session, the password changes."""

        def matches(self, password_hash: str | None, password: str) -> bool:
            answer = matches(password_hash, password)
            body = {"oldPassword": PASSWORD, "newPassword": "another good one"}
            assert accounts.post("/me/password", body, session=here).status_code == 204
            return answer

    slow = replace(accounts.context, passwords=cast("Passwords", PasswordsThatAreSlow()))
    with pytest.raises(WrongCredentials):
        service.log_in(slow, "anna", PASSWORD, "192.0.2.1")
    assert sessions_in(accounts) == 1


def test_of_many_sign_ins_and_one_change_of_password_no_old_session_survives(accounts: Accounts) -> None:
    here = accounts.register()
    body = {"oldPassword": PASSWORD, "newPassword": "another good one"}

    def sign_in(_: int) -> int:
        return accounts.post("/login", {"login": "anna", "password": PASSWORD}).status_code

    with ThreadPoolExecutor(9) as pool:
        attempts = [pool.submit(sign_in, number) for number in range(12)]
        change = pool.submit(accounts.post, "/me/password", body, session=here)
        attempts += [pool.submit(sign_in, number) for number in range(12)]
        assert change.result().status_code == 204
        assert {attempt.result() for attempt in attempts} <= {200, 401}
    # Each that got a 200 was there before the change, which ended it.
    assert sessions_in(accounts) == 1


def test_signing_in_clears_away_what_is_dead(accounts: Accounts) -> None:
    for login in ("anna", "boris", "clara"):
        accounts.register(login)
    accounts.clock.advance(days=31)
    accounts.log_in("anna")
    assert sessions_in(accounts) == 1


def test_clearing_away_is_bounded(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository, "CLEARING_BATCH_SIZE", 2)
    for number in range(5):
        accounts.register(f"user{number}")
    accounts.clock.advance(days=31)
    accounts.log_in("user0")
    assert sessions_in(accounts) == 5 - 1 - 2 + 1


def test_the_session_used_least_lately_makes_room(make_accounts: MakeAccounts) -> None:
    accounts = make_accounts(max_sessions_per_user=2)
    first = accounts.register()
    accounts.clock.advance(minutes=2)
    second = accounts.log_in()
    accounts.clock.advance(minutes=2)
    assert accounts.is_alive(first)  # and is now used later than the second
    third = accounts.log_in()
    assert [accounts.is_alive(session) for session in (first, second, third)] == [True, False, True]
