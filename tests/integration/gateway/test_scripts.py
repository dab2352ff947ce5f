"""Running scripts on Redis: reloading, time-outs, bounded connections."""

import threading
import time
from collections.abc import Iterator

import pytest
import redis

from services.gateway.scripts import ScriptRunner

SCRIPTS = {
    "echo": "return {KEYS[1], ARGV[1], tonumber(ARGV[2])}",
    "count": "return redis.call('INCR', KEYS[1])",
    "fail": "return redis.call('LPUSH', KEYS[1])",
}


@pytest.fixture
def server(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture
def runner(redis_url: str) -> ScriptRunner:
    return ScriptRunner(redis_url, SCRIPTS, pool_size=2, timeout_seconds=0.5)


def test_script_is_loaded_again_after_the_server_forgot_it(runner: ScriptRunner, server: redis.Redis) -> None:
    server.script_flush()
    assert runner.run("echo", ["key"], ["значение", 7]) == ["key", "значение", 7]
    assert server.info("memory")["number_of_cached_scripts"] == 1
    server.script_flush()
    assert [runner.run("count", ["n"], []) for _ in range(3)] == [1, 2, 3]


def test_connection_is_reused_after_an_error_of_the_script(runner: ScriptRunner, server: redis.Redis) -> None:
    with pytest.raises(redis.ResponseError):
        runner.run("fail", ["key"], [])
    before = server.info("stats")["total_connections_received"]
    assert runner.run("count", ["n"], []) == 1
    assert server.info("stats")["total_connections_received"] == before


def test_connection_that_was_closed_while_idle_is_replaced(runner: ScriptRunner, server: redis.Redis) -> None:
    assert runner.run("count", ["n"], []) == 1
    server.client_kill_filter(_type="normal", skipme=True)
    assert runner.run("count", ["n"], []) == 2


def test_late_response_is_never_returned_to_the_next_call(redis_url: str) -> None:
    runner = ScriptRunner(redis_url, SCRIPTS, pool_size=1, timeout_seconds=0.1)
    assert runner.run("echo", ["first"], ["a", 1])[0] == "first"
    with redis.Redis.from_url(redis_url) as server:
        server.client_pause(300, all=True)
        with pytest.raises(redis.TimeoutError):
            runner.run("echo", ["late"], ["a", 1])
        server.client_unpause()
    assert runner.run("echo", ["next"], ["a", 1])[0] == "next"


def test_frozen_server_raises_within_the_timeout_and_the_script_is_not_repeated(redis_url: str) -> None:
    runner = ScriptRunner(redis_url, SCRIPTS, pool_size=1, timeout_seconds=0.2)
    assert runner.run("count", ["n"], []) == 1
    with redis.Redis.from_url(redis_url) as server:
        server.client_pause(1_000, all=True)
        started_at = time.monotonic()
        with pytest.raises(redis.TimeoutError):
            runner.run("count", ["n"], [])
        assert time.monotonic() - started_at < 0.7
        with pytest.raises(redis.RedisError):
            runner.ping()
        server.client_unpause()
        assert server.get("n") in (b"1", b"2")
    assert runner.run("count", ["n"], []) in (2, 3)


def test_exhausted_pool_raises_within_the_timeout(redis_url: str) -> None:
    runner = ScriptRunner(redis_url, SCRIPTS, pool_size=1, timeout_seconds=0.1)
    with redis.Redis.from_url(redis_url) as server:
        server.client_pause(2_000, all=True)
        failures: list[type[BaseException]] = []

        def ask() -> None:
            try:
                runner.run("count", ["n"], [])
            except redis.RedisError as error:
                failures.append(type(error))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)
        server.client_unpause()
    assert len(failures) == 4
    assert set(failures) <= {redis.TimeoutError, redis.ConnectionError}
