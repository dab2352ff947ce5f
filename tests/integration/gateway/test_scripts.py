"""Redis scripts on low-level connections: reconnection, errors and timeouts, without the library's client."""

import threading
from collections.abc import Iterator

import pytest
import redis

from services.gateway.scripts import Script, ScriptRunner

ECHO = Script("return {KEYS[1], ARGV[1], tonumber(ARGV[2])}")
COUNT = Script("return redis.call('INCR', KEYS[1])")


@pytest.fixture
def server(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture
def runner(redis_url: str) -> ScriptRunner:
    return ScriptRunner(redis_url, pool_size=2, timeout_seconds=0.5)


def test_script_is_sent_by_hash_and_in_full_where_the_hash_is_unknown(
    runner: ScriptRunner, server: redis.Redis
) -> None:
    server.script_flush()
    assert runner.run(ECHO, ["key"], ["значение", 7]) == ["key", "значение", 7]
    assert server.script_exists(ECHO.sha) == [True]
    server.script_flush()
    assert [runner.run(COUNT, ["n"], []) for _ in range(3)] == [1, 2, 3]


def test_error_of_a_script_keeps_the_connection_usable(runner: ScriptRunner, server: redis.Redis) -> None:
    with pytest.raises(redis.ResponseError):
        runner.run(Script("return redis.call('LPUSH', KEYS[1])"), ["key"], [])
    before = server.info("stats")["total_connections_received"]
    assert runner.run(COUNT, ["n"], []) == 1
    assert server.info("stats")["total_connections_received"] == before


def test_closed_idle_connection_is_replaced_transparently(runner: ScriptRunner, server: redis.Redis) -> None:
    assert runner.run(COUNT, ["n"], []) == 1
    server.client_kill_filter(_type="normal", skipme=True)
    assert runner.run(COUNT, ["n"], []) == 2


def test_late_response_is_not_returned_to_the_next_caller(redis_url: str) -> None:
    runner = ScriptRunner(redis_url, pool_size=1, timeout_seconds=0.1)
    assert runner.run(ECHO, ["first"], ["a", 1])[0] == "first"
    with redis.Redis.from_url(redis_url) as server:
        server.client_pause(300, all=True)
        with pytest.raises(redis.TimeoutError):
            runner.run(ECHO, ["late"], ["a", 1])
        server.client_unpause()
    assert runner.run(ECHO, ["next"], ["a", 1])[0] == "next"


def test_exhausted_pool_raises_within_the_timeout(redis_url: str) -> None:
    runner = ScriptRunner(redis_url, pool_size=1, timeout_seconds=0.1)
    with redis.Redis.from_url(redis_url) as server:
        server.client_pause(2_000, all=True)
        failures: list[type[BaseException]] = []

        def ask() -> None:
            try:
                runner.run(COUNT, ["n"], [])
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
