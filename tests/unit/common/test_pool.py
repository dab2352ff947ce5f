"""The resource pool: bounded, last in first out, no lost wake-up."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from common.core.pool import PoolExhausted, ResourcePool


def test_the_last_released_resource_is_acquired_first() -> None:
    pool: ResourcePool[str] = ResourcePool(3)
    assert [pool.acquire(0), pool.acquire(0)] == [None, None]
    pool.release("a")
    pool.release("b")
    assert [pool.acquire(0), pool.acquire(0), pool.acquire(0)] == ["b", "a", None]


def test_acquire_on_an_exhausted_pool_raises_after_the_timeout() -> None:
    pool: ResourcePool[str] = ResourcePool(2)
    pool.acquire(0)
    pool.acquire(0)
    started_at = time.monotonic()
    with pytest.raises(PoolExhausted):
        pool.acquire(0.05)
    assert time.monotonic() - started_at >= 0.05
    pool.release("a")
    assert pool.acquire(0) == "a"


def test_release_wakes_a_waiting_thread() -> None:
    pool: ResourcePool[str] = ResourcePool(1)
    pool.acquire(0)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(pool.acquire, 30)
        pool.release("a")
        assert waiting.result(10) == "a"


def test_no_resource_is_lost_or_acquired_twice_by_many_threads() -> None:
    pool: ResourcePool[threading.Lock] = ResourcePool(3)
    created = []

    def work() -> None:
        for _ in range(500):
            resource = pool.acquire(30)
            if resource is None:
                resource = threading.Lock()
                created.append(resource)
            assert resource.acquire(blocking=False), "two threads hold the same resource"
            resource.release()
            pool.release(resource)

    with ThreadPoolExecutor(16) as threads:
        for done in [threads.submit(work) for _ in range(16)]:
            done.result(60)
    assert 1 <= len(created) <= 3
    assert len([pool.acquire(0) for _ in range(3)]) == 3
    with pytest.raises(PoolExhausted):
        pool.acquire(0)
