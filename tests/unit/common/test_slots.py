"""The pool under every hop: bounded, and nobody waits for what is free."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from common.core.slots import NoneFree, Slots


def test_the_last_one_given_back_is_taken_first() -> None:
    slots: Slots[str] = Slots(3)
    assert [slots.take(0), slots.take(0)] == [None, None]
    slots.give_back("a")
    slots.give_back("b")
    assert [slots.take(0), slots.take(0), slots.take(0)] == ["b", "a", None]


def test_there_are_no_more_than_so_many() -> None:
    slots: Slots[str] = Slots(2)
    slots.take(0)
    slots.take(0)
    began = time.monotonic()
    with pytest.raises(NoneFree):
        slots.take(0.05)
    assert time.monotonic() - began >= 0.05
    slots.give_back("a")
    assert slots.take(0) == "a"


def test_who_waits_is_woken() -> None:
    slots: Slots[str] = Slots(1)
    slots.take(0)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(slots.take, 30)
        slots.give_back("a")
        assert waiting.result(10) == "a"


def test_many_threads_share_few_and_none_is_lost_or_held_twice() -> None:
    slots: Slots[threading.Lock] = Slots(3)
    made = []

    def work() -> None:
        for _ in range(500):
            thing = slots.take(30)
            if thing is None:
                thing = threading.Lock()
                made.append(thing)
            assert thing.acquire(blocking=False), "two have it at once"
            thing.release()
            slots.give_back(thing)

    with ThreadPoolExecutor(16) as pool:
        for done in [pool.submit(work) for _ in range(16)]:
            done.result(60)
    assert 1 <= len(made) <= 3
    assert len([slots.take(0) for _ in range(3)]) == 3
    with pytest.raises(NoneFree):
        slots.take(0)
