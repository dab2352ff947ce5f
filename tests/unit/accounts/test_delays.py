"""Delayed sign-ins: how many wait at the same time, and who is refused."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from common.core.errors import TooManyRequests
from services.accounts.delays import DELAYED_AT_ONCE, DELAYED_PER_ACCOUNT, SignInDelays


class Waiting:
    """A wait that lasts until :meth:`end`, with the threads that sign in."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._ended = threading.Event()
        self._started = threading.Semaphore(0)
        self.durations: list[float] = []
        self.delays = SignInDelays(3.0, wait=self._wait)

    def sign_in(self, login: str, address: str) -> Future[None]:
        """Start a sign-in that is delayed; return when it waits."""
        future = self._pool.submit(self.delays.delay, login, address)
        assert self._started.acquire(timeout=10)
        return future

    def end(self) -> None:
        self._ended.set()

    def _wait(self, seconds: float) -> None:
        self.durations.append(seconds)
        self._started.release()
        assert self._ended.wait(10)


@pytest.fixture
def waiting() -> Iterator[Waiting]:
    with ThreadPoolExecutor(DELAYED_AT_ONCE) as pool:
        one = Waiting(pool)
        yield one
        one.end()


def refused(call: Callable[[], None]) -> int | None:
    with pytest.raises(TooManyRequests) as caught:
        call()
    return caught.value.retry_after_seconds


def test_sign_in_waits_for_the_whole_delay(waiting: Waiting) -> None:
    future = waiting.sign_in("alice", "192.0.2.1")
    waiting.end()
    future.result(10)
    assert waiting.durations == [3.0]


def test_one_address_has_one_place_per_account(waiting: Waiting) -> None:
    waiting.sign_in("alice", "192.0.2.1")
    assert refused(lambda: waiting.delays.delay("alice", "192.0.2.1")) == 3
    waiting.sign_in("alice", "192.0.2.2")
    waiting.sign_in("bob", "192.0.2.1")
    assert len(waiting.durations) == 3


def test_account_has_a_number_of_places_for_all_addresses(waiting: Waiting) -> None:
    for number in range(DELAYED_PER_ACCOUNT):
        waiting.sign_in("alice", f"192.0.2.{number}")
    refused(lambda: waiting.delays.delay("alice", "198.51.100.7"))


def test_all_accounts_share_a_number_of_threads(waiting: Waiting) -> None:
    for number in range(DELAYED_AT_ONCE):
        waiting.sign_in(f"user{number}", "192.0.2.1")
    refused(lambda: waiting.delays.delay("alice", "192.0.2.1"))


def test_places_are_free_after_the_delay(waiting: Waiting) -> None:
    futures = [waiting.sign_in("alice", f"192.0.2.{number}") for number in range(DELAYED_PER_ACCOUNT)]
    waiting.end()
    for future in futures:
        future.result(10)
    for number in range(DELAYED_PER_ACCOUNT):
        waiting.delays.delay("alice", f"192.0.2.{number}")
    assert not waiting.delays._delayed
