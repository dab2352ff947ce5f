"""Who is let in; and that an ended session is dead at once, whatever is remembered where."""

import hashlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from structlog.testing import CapturingLogger

from launcher.children import Child
from launcher.embedded.redis import EmbeddedRedis
from launcher.ports import RANGE, is_free
from services.gateway import log_events, repository
from services.gateway.app import create_app
from services.gateway.clients import AccountsClient, VerifiedSession
from services.gateway.repository import BARRIER_SECONDS, GRACE_SECONDS, MAX_CACHE_SECONDS
from tests.integration.gateway.conftest import PASSWORD, Gateway, Stack
from tests.support.eventually import eventually

UNKNOWN = "1AF3781BF6B94604B771AEA1D44FA63A"
NOT_AUTHORIZED = {"message": "not authorized"}

End = Callable[[Gateway, str], int]


def log_out(gateway: Gateway, session: str) -> int:
    return gateway.post("/logout", session=session).status_code


def log_out_everywhere(gateway: Gateway, session: str) -> int:
    return gateway.post("/logout/all", session=session).status_code


def key_of(session: str) -> str:
    return f"session:{hashlib.sha256(session.encode()).hexdigest()}"


def test_a_session_opens_the_door_in_both_forms(gateway: Gateway) -> None:
    session = gateway.register()
    for header in (f'{{"sessionID": "{session}"}}', f"Bearer {session}"):
        answer = gateway.get("/balance", Authorization=header)
        assert (answer.status_code, answer.get_json()) == (200, {"balance": 0, "currency": "RUB"})


def test_without_a_living_session_the_answer_is_fixed_to_the_letter(gateway: Gateway) -> None:
    headers = [None, "", "Bearer x", f"Bearer {UNKNOWN}", f'{{"sessionID": "{UNKNOWN}"}}', "{}"]
    for path in ("/balance", "/fastcheck/active", "/fastcheck/history", "/topup", "/me"):
        for header in headers:
            answer = gateway.get(path, **({} if header is None else {"Authorization": header}))
            assert (answer.status_code, answer.get_json()) == (401, NOT_AUTHORIZED)
            assert answer.headers["X-Request-ID"]


def test_a_known_session_is_not_asked_about_again(stack: Stack, gateway: Gateway) -> None:
    session = gateway.register()
    assert gateway.is_welcome(session)
    stack.accounts.stop()
    assert gateway.is_welcome(session)
    assert stack.gateway().is_welcome(session), "another process remembers it too"
    stack.redis().flushdb()
    answer = gateway.get("/balance", session)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.get_json()["code"] == "temporarily_unavailable"


def test_a_session_is_remembered_by_its_hash_and_for_a_minute_at_most(stack: Stack, gateway: Gateway) -> None:
    session = gateway.register()
    assert gateway.is_welcome(session)
    client = stack.redis()
    assert 50_000 < client.pttl(key_of(session)) <= MAX_CACHE_SECONDS * 1000
    keys = set(client.scan_iter())
    everything = f"{keys} {[client.get(key) for key in keys]}"
    assert session not in everything
    assert session.lower() not in everything


@pytest.mark.parametrize("end", [log_out, log_out_everywhere])
def test_an_ended_session_is_dead_at_once_at_every_process(stack: Stack, gateway: Gateway, end: End) -> None:
    other_process = stack.gateway()
    session = gateway.register()
    assert gateway.is_welcome(session)
    assert other_process.is_welcome(session)
    assert end(gateway, session) == 204
    assert not other_process.is_welcome(session)
    assert not gateway.is_welcome(session)


def test_logging_out_here_does_not_log_out_elsewhere_and_everywhere_does(gateway: Gateway) -> None:
    here, elsewhere, stranger = gateway.register(), gateway.log_in(), gateway.register("boris")
    assert all(map(gateway.is_welcome, (here, elsewhere, stranger)))
    assert log_out(gateway, here) == 204
    assert [gateway.is_welcome(session) for session in (here, elsewhere, stranger)] == [False, True, True]
    assert log_out_everywhere(gateway, elsewhere) == 204
    assert [gateway.is_welcome(session) for session in (here, elsewhere, stranger)] == [False, False, True]


def test_a_new_password_ends_the_other_sessions_at_once(gateway: Gateway) -> None:
    here, elsewhere = gateway.register(), gateway.log_in()
    assert gateway.is_welcome(elsewhere)
    body = {"oldPassword": PASSWORD, "newPassword": "another good one"}
    assert gateway.post("/me/password", body, here).status_code == 204
    assert gateway.is_welcome(here)
    assert not gateway.is_welcome(elsewhere)


def test_what_was_asked_before_the_end_and_is_kept_after_it_does_not_count(stack: Stack) -> None:
    """Another process asks accounts, then the session ends, then the other process keeps what it heard."""
    gateway, slow = stack.gateway(), stack.gateway()
    session = gateway.register()
    accounts = slow.context.accounts

    class SlowAccounts:
        def verify_session(self, session_hash: str, request_id: str) -> VerifiedSession | None:
            verified = accounts.verify_session(session_hash, request_id)
            assert log_out(gateway, session) == 204
            return verified

    app = create_app(slow.context.settings)
    app.extensions["context"] = replace(slow.context, accounts=cast("AccountsClient", SlowAccounts()))
    late = Gateway(app.test_client(), slow.context)
    assert late.is_welcome(session), "this one request was there before the end"
    assert not gateway.is_welcome(session)
    assert not slow.is_welcome(session)


def test_of_many_who_ask_while_a_session_ends_none_is_welcome_afterwards(stack: Stack) -> None:
    gateways = [stack.gateway(), stack.gateway()]
    for _ in range(5):
        session = gateways[0].register(f"user{time.monotonic_ns()}")
        stack.redis().flushdb()  # so that they all ask accounts
        with ThreadPoolExecutor(9) as pool:
            asked = [pool.submit(gateways[number % 2].is_welcome, session) for number in range(8)]
            assert pool.submit(log_out, gateways[0], session).result() in (204, 401)
            assert not any(gateway.is_welcome(session) for gateway in gateways)
            assert {one.result() for one in asked} <= {True, False}
        assert not any(gateway.is_welcome(session) for gateway in gateways)


def test_after_the_barrier_has_passed_sessions_are_remembered_again(stack: Stack, gateway: Gateway) -> None:
    here, elsewhere = gateway.register(), gateway.log_in()
    assert log_out(gateway, here) == 204
    client = stack.redis()
    barrier = next(client.scan_iter("barrier:*"))
    assert GRACE_SECONDS + MAX_CACHE_SECONDS < client.ttl(barrier) <= BARRIER_SECONDS
    assert gateway.is_welcome(elsewhere)
    assert client.exists(key_of(elsewhere)) == 0
    # As if GRACE_SECONDS had passed: Redis's clock cannot be moved, its barrier can.
    moment = int(client.get(barrier) or 0)
    client.set(barrier, str(moment - (GRACE_SECONDS + 1) * 1_000_000))
    assert gateway.is_welcome(elsewhere)
    assert client.exists(key_of(elsewhere)) == 1


def test_a_barrier_never_goes_back(stack: Stack, gateway: Gateway) -> None:
    session = gateway.register()
    user_id = gateway.context.accounts.verify_session(hashlib.sha256(session.encode()).hexdigest(), "a-request-id")
    assert user_id is not None
    barrier = f"barrier:{user_id.user_id}"
    client = stack.redis()
    far = 9_007_199_254_740_000
    client.set(barrier, str(far))
    gateway.context.cache.raise_barrier(user_id.user_id)
    assert client.get(barrier) == str(far)


def test_a_flush_brings_no_ended_session_back(stack: Stack, gateway: Gateway) -> None:
    ended, alive = gateway.register(), gateway.log_in()
    assert gateway.is_welcome(ended)
    assert log_out(gateway, ended) == 204
    stack.redis().flushdb()
    assert not gateway.is_welcome(ended)
    assert gateway.is_welcome(alive)


def test_without_redis_sessions_work_but_none_can_be_ended(
    stack: Stack, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = CapturingLogger()
    monkeypatch.setattr(repository, "log", log)
    session = gateway.register()
    with_no_redis = stack.gateway(cache_url=_nobody_listens())
    assert all(with_no_redis.is_welcome(session) for _ in range(5))
    assert not with_no_redis.is_welcome(UNKNOWN)
    for end in (log_out, log_out_everywhere):
        assert end(with_no_redis, session) == 503
    assert with_no_redis.post("/me/password", {}, session).status_code == 503
    assert [(call.method_name, call.args) for call in log.calls] == [("error", (log_events.CACHE_UNAVAILABLE,))], (
        "one line, and not one per request"
    )
    assert gateway.is_welcome(session), "a 503 has ended nothing"


def _nobody_listens() -> str:
    port = next(port for port in reversed(RANGE) if is_free(port))
    return f"redis://127.0.0.1:{port}/1"


class OwnRedis:
    """A Redis that the test may freeze, kill and start again."""

    def __init__(self, folder: Path) -> None:
        port = next(port for port in reversed(RANGE) if is_free(port))
        self._server = EmbeddedRedis(folder / "redis", port=port, password="secret", log=folder / "redis.log")
        self._server.prepare()
        self.url = self._server.url(1)
        self.start()

    def start(self) -> None:
        self.child = Child(self._server.launch())
        eventually(self._server.is_ready)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.child.pid, number)

    def stop(self) -> None:
        self.child.end_group()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path)
    yield server
    server.stop()


def test_a_frozen_redis_costs_one_request_a_second_a_fifth_of_a_second(stack: Stack, own_redis: OwnRedis) -> None:
    gateway = stack.gateway(cache_url=own_redis.url, cache_retry_seconds=30, cache_timeout_seconds=0.2)
    session = gateway.register()
    assert gateway.is_welcome(session)
    own_redis.signal(signal.SIGSTOP)
    started = time.monotonic()
    assert gateway.is_welcome(session)
    first = time.monotonic() - started
    assert 0.2 <= first < 1.5
    started = time.monotonic()
    assert all(gateway.is_welcome(session) for _ in range(10))
    assert (time.monotonic() - started) / 10 < 0.2, "nobody waits for it any more"


def test_redis_is_used_again_when_it_is_back(stack: Stack, own_redis: OwnRedis) -> None:
    gateway = stack.gateway(cache_url=own_redis.url, cache_retry_seconds=0.05)
    session = gateway.register()
    assert gateway.is_welcome(session)
    own_redis.stop()
    assert gateway.is_welcome(session)
    assert log_out(gateway, session) == 503
    own_redis.start()
    eventually(lambda: log_out(gateway, session) == 204)
    assert not gateway.is_welcome(session)
