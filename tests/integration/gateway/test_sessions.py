"""Sessions at the gateway: verification, the cache in Redis, and the immediate end of a session."""

import hashlib
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from structlog.testing import CapturingLogger

from launcher.ports import RANGE, is_free
from services.gateway import log_events, repository
from services.gateway.app import create_app
from services.gateway.clients import AccountsClient, VerifiedSession
from services.gateway.repository import BARRIER_SECONDS, GRACE_SECONDS, MAX_CACHE_SECONDS
from tests.integration.gateway.conftest import PASSWORD, Gateway, Stack
from tests.support.eventually import eventually
from tests.support.own_redis import OwnRedis

UNKNOWN = "1AF3781BF6B94604B771AEA1D44FA63A"
NOT_AUTHORIZED = {"message": "not authorized"}

End = Callable[[Gateway, str], int]


def log_out(gateway: Gateway, session: str) -> int:
    return gateway.post("/logout", session=session).status_code


def log_out_everywhere(gateway: Gateway, session: str) -> int:
    return gateway.post("/logout/all", session=session).status_code


def key_of(session: str) -> str:
    return f"verified:{hashlib.sha256(session.encode()).hexdigest()}"


def test_session_id_is_accepted_in_both_header_formats(gateway: Gateway) -> None:
    session = gateway.register()
    for header in (f'{{"sessionID": "{session}"}}', f"Bearer {session}"):
        response = gateway.get("/balance", Authorization=header)
        assert (response.status_code, response.get_json()) == (200, {"balance": 0, "currency": "RUB"})


def test_missing_or_unknown_session_gets_the_documented_401(gateway: Gateway) -> None:
    headers = [None, "", "Bearer x", f"Bearer {UNKNOWN}", f'{{"sessionID": "{UNKNOWN}"}}', "{}"]
    for path in ("/balance", "/fastcheck/active", "/fastcheck/history", "/topup", "/me"):
        for header in headers:
            response = gateway.get(path, **({} if header is None else {"Authorization": header}))
            assert (response.status_code, response.get_json()) == (401, NOT_AUTHORIZED)
            assert response.headers["X-Request-ID"]


def test_cached_session_is_not_verified_again(stack: Stack, gateway: Gateway) -> None:
    session = gateway.register()
    assert gateway.is_authorized(session)
    stack.accounts.stop()
    assert gateway.is_authorized(session)
    assert stack.gateway().is_authorized(session), "the cache is shared by all processes"
    stack.redis().flushdb()
    response = gateway.get("/balance", session)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    assert response.get_json()["code"] == "temporarily_unavailable"


def test_session_is_cached_under_its_hash_for_a_minute_at_most(stack: Stack, gateway: Gateway) -> None:
    session = gateway.register()
    assert gateway.is_authorized(session)
    client = stack.redis()
    assert 50_000 < client.pttl(key_of(session)) <= MAX_CACHE_SECONDS * 1000
    keys = set(client.scan_iter())
    everything = f"{keys} {[client.get(key) for key in keys]}"
    assert session not in everything
    assert session.lower() not in everything


@pytest.mark.parametrize("end", [log_out, log_out_everywhere])
def test_ended_session_is_rejected_at_once_by_every_process(stack: Stack, gateway: Gateway, end: End) -> None:
    other_process = stack.gateway()
    session = gateway.register()
    assert gateway.is_authorized(session)
    assert other_process.is_authorized(session)
    assert end(gateway, session) == 204
    assert not other_process.is_authorized(session)
    assert not gateway.is_authorized(session)


def test_logout_ends_one_session_and_logout_everywhere_ends_all(gateway: Gateway) -> None:
    here, elsewhere, other_user = gateway.register(), gateway.log_in(), gateway.register("bob")
    assert all(map(gateway.is_authorized, (here, elsewhere, other_user)))
    assert log_out(gateway, here) == 204
    assert [gateway.is_authorized(session) for session in (here, elsewhere, other_user)] == [False, True, True]
    assert log_out_everywhere(gateway, elsewhere) == 204
    assert [gateway.is_authorized(session) for session in (here, elsewhere, other_user)] == [False, False, True]


def test_new_password_ends_the_other_sessions_at_once(gateway: Gateway) -> None:
    here, elsewhere = gateway.register(), gateway.log_in()
    assert gateway.is_authorized(elsewhere)
    body = {"oldPassword": PASSWORD, "newPassword": "another good one"}
    assert gateway.post("/me/password", body, here).status_code == 204
    assert gateway.is_authorized(here)
    assert not gateway.is_authorized(elsewhere)


def test_verification_older_than_the_logout_is_not_cached(stack: Stack) -> None:
    """One process verifies the session, another ends it, then the first caches its result."""
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
    assert late.is_authorized(session), "the request was verified before the logout"
    assert not gateway.is_authorized(session)
    assert not slow.is_authorized(session)


def test_concurrent_requests_do_not_keep_an_ended_session_in_the_cache(stack: Stack) -> None:
    gateways = [stack.gateway(), stack.gateway()]
    for _ in range(5):
        session = gateways[0].register(f"user{time.monotonic_ns()}")
        stack.redis().flushdb()  # so that each request calls accounts
        with ThreadPoolExecutor(9) as pool:
            calls = [pool.submit(gateways[number % 2].get, "/balance", session) for number in range(8)]
            assert pool.submit(log_out, gateways[0], session).result() in (204, 401)
            assert not any(gateway.is_authorized(session) for gateway in gateways)
            assert {one.result().status_code for one in calls} <= {200, 401}, "the race must not be an error"
        assert not any(gateway.is_authorized(session) for gateway in gateways)


def test_sessions_are_cached_again_after_the_barrier(stack: Stack, gateway: Gateway) -> None:
    here, elsewhere = gateway.register(), gateway.log_in()
    assert log_out(gateway, here) == 204
    client = stack.redis()
    barrier = next(client.scan_iter("barrier:*"))
    assert GRACE_SECONDS + MAX_CACHE_SECONDS < client.ttl(barrier) <= BARRIER_SECONDS
    assert gateway.is_authorized(elsewhere)
    assert client.exists(key_of(elsewhere)) == 0
    # Redis's clock cannot be set: move the barrier back by more than GRACE_SECONDS instead.
    raised_at = int(client.get(barrier) or 0)
    client.set(barrier, str(raised_at - (GRACE_SECONDS + 1) * 1_000_000))
    assert gateway.is_authorized(elsewhere)
    assert client.exists(key_of(elsewhere)) == 1


def test_barrier_is_never_lowered(stack: Stack, gateway: Gateway) -> None:
    session = gateway.register()
    user_id = gateway.context.accounts.verify_session(hashlib.sha256(session.encode()).hexdigest(), "a-request-id")
    assert user_id is not None
    barrier = f"barrier:{user_id.user_id}"
    client = stack.redis()
    far = 9_007_199_254_740_000
    client.set(barrier, str(far))
    gateway.context.cache.raise_barrier(user_id.user_id)
    assert client.get(barrier) == str(far)


def test_ended_session_stays_rejected_after_a_flush_of_redis(stack: Stack, gateway: Gateway) -> None:
    ended, alive = gateway.register(), gateway.log_in()
    assert gateway.is_authorized(ended)
    assert log_out(gateway, ended) == 204
    stack.redis().flushdb()
    assert not gateway.is_authorized(ended)
    assert gateway.is_authorized(alive)


def test_sessions_work_without_redis_but_cannot_be_ended(
    stack: Stack, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = CapturingLogger()
    monkeypatch.setattr(repository, "log", log)
    session = gateway.register()
    with_no_redis = stack.gateway(cache_url=_closed_port_url())
    assert all(with_no_redis.is_authorized(session) for _ in range(5))
    assert not with_no_redis.is_authorized(UNKNOWN)
    for end in (log_out, log_out_everywhere):
        assert end(with_no_redis, session) == 503
    assert with_no_redis.post("/me/password", {}, session).status_code == 503
    assert [(call.method_name, call.args) for call in log.calls] == [("error", (log_events.CACHE_UNAVAILABLE,))], (
        "one line in total, not one per request"
    )
    assert gateway.is_authorized(session), "a logout that failed with 503 ends no session"


def _closed_port_url() -> str:
    port = next(port for port in reversed(RANGE) if is_free(port))
    return f"redis://127.0.0.1:{port}/1"


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path)
    yield server
    server.stop()


def test_frozen_redis_delays_one_request_per_retry_interval(stack: Stack, own_redis: OwnRedis) -> None:
    gateway = stack.gateway(cache_url=own_redis.url, cache_retry_seconds=30, cache_timeout_seconds=0.2)
    session = gateway.register()
    assert gateway.is_authorized(session)
    own_redis.signal(signal.SIGSTOP)
    started = time.monotonic()
    assert gateway.is_authorized(session)
    first = time.monotonic() - started
    assert 0.2 <= first < 1.5
    started = time.monotonic()
    assert all(gateway.is_authorized(session) for _ in range(10))
    assert (time.monotonic() - started) / 10 < 0.2, "later requests do not wait for it"


def test_redis_is_used_again_after_an_outage(stack: Stack, own_redis: OwnRedis) -> None:
    gateway = stack.gateway(cache_url=own_redis.url, cache_retry_seconds=0.05)
    session = gateway.register()
    assert gateway.is_authorized(session)
    own_redis.stop()
    assert gateway.is_authorized(session)
    assert log_out(gateway, session) == 503
    own_redis.start()
    eventually(lambda: log_out(gateway, session) == 204)
    assert not gateway.is_authorized(session)
