"""Group commit: one leader at a time, first in first out, nothing lost, nothing twice, every wait bounded."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import pytest

from common.core.grouping import (
    ALONE,
    ALONE_AT_ONCE,
    GROUP_SIZE,
    UNGROUPED,
    Alone,
    GroupRunner,
    NotRun,
    OutcomeUnknown,
)
from common.core.settings import DatabaseSettings
from tests.support.eventually import eventually
from tests.support.stepping import Stepper

MODULE = "common.core.grouping"


def not_alone() -> str:
    raise AssertionError("this item was to run in a group")


def echo(items: Sequence[int]) -> list[int]:
    return list(items)


@dataclass
class Held:
    """A runner whose first group waits until the test releases it, so that others queue behind it."""

    runner: GroupRunner[int, int] = field(default_factory=lambda: GroupRunner("test", ungrouped=0))
    entered: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    groups: list[list[int]] = field(default_factory=list)

    def block(self) -> int:
        """Run as the first item, alone in its group."""
        self.entered.set()
        assert self.released.wait(30)
        return -1

    def run_many(self, items: Sequence[int]) -> list[int]:
        self.groups.append(list(items))
        return list(items)

    def queue(self, threads: ThreadPoolExecutor, count: int) -> list[Future[int]]:
        """Submit 0, 1, 2, ... one after the other while the first group runs."""
        first = threads.submit(self.runner.submit, -1, self.run_many, self.block)
        assert self.entered.wait(30)
        queued = []
        for item in range(count):
            queued.append(threads.submit(self.runner.submit, item, self.run_many, partial(int, item)))
            eventually(partial(self._has_queued, item + 1))
        return [first, *queued]

    def _has_queued(self, count: int) -> bool:
        return len(self.runner._queue) == count


def test_few_requests_run_alone() -> None:
    runner: GroupRunner[int, str] = GroupRunner("test")
    arrived, together = threading.Semaphore(0), threading.Barrier(UNGROUPED)

    def alone() -> str:
        arrived.release()
        together.wait(30)
        return "alone"

    def run_many(items: Sequence[int]) -> list[str]:
        raise AssertionError(f"{items} ran as a group")

    with ThreadPoolExecutor(UNGROUPED) as threads:
        results = list(threads.map(lambda item: runner.submit(item, run_many, alone), range(UNGROUPED)))
    assert results == ["alone"] * UNGROUPED


def test_disabled_runner_runs_every_request_alone() -> None:
    runner: GroupRunner[int, int] = GroupRunner("test", enabled=False, ungrouped=0)
    together = threading.Barrier(32)
    with ThreadPoolExecutor(32) as threads:
        results = list(threads.map(lambda item: runner.submit(item, echo, lambda: together.wait(30) * 0), range(32)))
    assert results == [0] * 32


def test_requests_behind_a_group_become_the_next_group_first_in_first_out() -> None:
    held = Held()
    with ThreadPoolExecutor(80) as threads:
        futures = held.queue(threads, GROUP_SIZE + 6)
        held.released.set()
        assert [future.result(30) for future in futures] == [-1, *range(GROUP_SIZE + 6)]
    assert held.groups == [list(range(GROUP_SIZE)), list(range(GROUP_SIZE, GROUP_SIZE + 6))]


def test_each_request_gets_its_own_value_error_or_runs_alone() -> None:
    held = Held()

    def run_many(items: Sequence[int]) -> list[int | Exception | Alone]:
        outcomes: list[int | Exception | Alone] = [10, KeyError("its own"), ALONE]
        return outcomes[: len(items)]

    held.run_many = run_many  # type: ignore[assignment,method-assign]
    with ThreadPoolExecutor(8) as threads:
        futures = held.queue(threads, 3)
        held.released.set()
        assert futures[1].result(30) == 10
        with pytest.raises(KeyError, match="its own"):
            futures[2].result(30)
        assert futures[3].result(30) == 2


def test_exception_of_a_leader_reaches_the_whole_group_and_the_next_group_runs() -> None:
    held = Held(GroupRunner("test", ungrouped=0, size=3))

    def run_many(items: Sequence[int]) -> list[int]:
        if 0 in items:
            raise ConnectionError("the connection is lost")
        return list(items)

    held.run_many = run_many  # type: ignore[method-assign]
    with ThreadPoolExecutor(8) as threads:
        futures = held.queue(threads, 6)
        held.released.set()
        for future in futures[1:4]:
            with pytest.raises(ConnectionError):
                future.result(30)
        assert [future.result(30) for future in futures[4:]] == [3, 4, 5]


def test_leader_whose_thread_ends_passes_the_seat_on_and_the_outcome_is_unknown() -> None:
    held = Held(GroupRunner("test", ungrouped=0, size=3))

    def run_many(items: Sequence[int]) -> list[int]:
        if 0 in items:
            raise SystemExit
        return list(items)

    held.run_many = run_many  # type: ignore[method-assign]
    with ThreadPoolExecutor(8) as threads:
        futures = held.queue(threads, 6)
        held.released.set()
        with pytest.raises(SystemExit):
            futures[1].result(30)
        for future in futures[2:4]:
            with pytest.raises(OutcomeUnknown):
                future.result(30)
        assert [future.result(30) for future in futures[4:]] == [3, 4, 5]


def test_result_of_the_wrong_length_is_an_error_of_the_group_and_frees_the_seat() -> None:
    held = Held(GroupRunner("test", ungrouped=0, size=2, wait_seconds=5))
    held.run_many = lambda items: list(items)[:1]  # type: ignore[method-assign]
    with ThreadPoolExecutor(8) as threads:
        futures = held.queue(threads, 2)
        held.released.set()
        for future, error in zip(futures[1:], (ValueError, OutcomeUnknown), strict=True):
            with pytest.raises(error):
                future.result(30)
    assert held.runner.submit(7, echo, lambda: 7) == 7


def test_queued_request_gets_a_503_after_the_time_out_and_is_not_run() -> None:
    held = Held(GroupRunner("test", ungrouped=0, wait_seconds=0.05))
    with ThreadPoolExecutor(4) as threads:
        first = threads.submit(held.runner.submit, -1, held.run_many, held.block)
        assert held.entered.wait(30)
        with pytest.raises(NotRun) as raised:
            held.runner.submit(0, held.run_many, not_alone)  # type: ignore[arg-type]
        assert (raised.value.status, raised.value.retry_after_seconds) == (503, 1)
        assert "not started" in raised.value.text
        held.released.set()
        assert first.result(30) == -1
    assert held.groups == []


def test_request_in_a_group_that_hangs_gets_a_503_with_an_unknown_outcome() -> None:
    held = Held(GroupRunner("test", ungrouped=0, wait_seconds=0.3))
    taken, proceed = threading.Event(), threading.Event()

    def run_many(items: Sequence[int]) -> list[int]:
        taken.set()
        assert proceed.wait(30)
        return list(items)

    held.run_many = run_many  # type: ignore[method-assign]
    with ThreadPoolExecutor(4) as threads:
        futures = held.queue(threads, 2)
        held.released.set()
        assert taken.wait(30)
        with pytest.raises(OutcomeUnknown) as raised:
            futures[2].result(30)
        assert raised.value.status == 503
        proceed.set()
        assert futures[1].result(30) == 0


def test_number_of_requests_that_run_alone_at_once_is_bounded() -> None:
    """A pool of 16 connections serves 64 threads: what a group sends on alone must not exhaust it."""
    runner: GroupRunner[int, int] = GroupRunner("test", ungrouped=0, wait_seconds=30)
    running, most, lock = 0, 0, threading.Lock()

    def alone() -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.002)
        with lock:
            running -= 1
        return 1

    with ThreadPoolExecutor(64) as threads:
        results = list(threads.map(lambda n: runner.submit(n, lambda items: [ALONE] * len(items), alone), range(256)))
    assert sum(results) == 256
    # The leader of a group of one runs it beside them.
    assert 1 < most <= ALONE_AT_ONCE + 1


def test_two_use_cases_and_their_leaders_fit_into_the_pool_of_a_process() -> None:
    assert DatabaseSettings().database_pool_size >= 2 * (ALONE_AT_ONCE + 1)


def test_request_that_finds_no_slot_to_run_alone_gets_a_503() -> None:
    runner: GroupRunner[int, int] = GroupRunner("test", ungrouped=100, wait_seconds=0.05)
    entered, released = threading.Semaphore(0), threading.Event()

    def block() -> int:
        entered.release()
        assert released.wait(30)
        return 1

    with ThreadPoolExecutor(ALONE_AT_ONCE) as threads:
        futures = [threads.submit(runner.submit, n, echo, block) for n in range(ALONE_AT_ONCE)]
        for _ in futures:
            assert entered.acquire(timeout=30)
        with pytest.raises(NotRun):
            runner.submit(0, echo, not_alone)  # type: ignore[arg-type]
        released.set()
        assert [future.result(30) for future in futures] == [1] * ALONE_AT_ONCE


def test_nothing_is_lost_or_run_twice_in_100_000_submits() -> None:
    runner: GroupRunner[int, int] = GroupRunner("test", wait_seconds=60)
    ran: Counter[int] = Counter()
    lock = threading.Lock()

    def count(*items: int) -> None:
        with lock:
            ran.update(items)

    def run_many(items: Sequence[int]) -> list[int | Exception | Alone]:
        outcomes: list[int | Exception | Alone] = []
        for item in items:
            if item % 11 == 0:
                outcomes.append(ALONE)
                continue
            count(item)
            outcomes.append(KeyError(item) if item % 13 == 0 else -item)
        return outcomes

    def alone(item: int) -> int:
        count(item)
        if item % 13 == 0:
            raise KeyError(item)
        return -item

    def work(first: int) -> int:
        right = 0
        for item in range(first, 100_000, 32):
            try:
                right += runner.submit(item, run_many, partial(alone, item)) == -item
            except KeyError as error:
                right += error.args == (item,)
        return right

    with ThreadPoolExecutor(32) as threads:
        assert sum(threads.map(work, range(32))) == 100_000
    assert len(ran) == 100_000
    assert set(ran.values()) == {1}


# -- a simulated schedule: a seed decides which thread runs next, at every lock and every wait


@dataclass
class Schedule:
    """One schedule of ten requests, with groups that fail, leaders that end, and time-outs."""

    seed: int
    stepper: Stepper = field(init=False)
    grouped: list[int] = field(default_factory=list)
    ran: Counter[int] = field(default_factory=Counter)
    outcomes: dict[int, object] = field(default_factory=dict)
    leaders: int = 0

    def __post_init__(self) -> None:
        self.stepper = Stepper(self.seed, time_outs=0.02 if self.seed % 2 else 0.0)
        with self.stepper.patched(MODULE):
            self.runner: GroupRunner[int, str] = GroupRunner("test", size=3, ungrouped=self.seed % 3, wait_seconds=1.0)

    def run(self) -> "Schedule":
        with self.stepper.patched(MODULE):
            self.stepper.run([self._request(item) for item in range(10)])
        return self

    def _request(self, item: int) -> Callable[[], None]:
        def work() -> None:
            try:
                self.outcomes[item] = self.runner.submit(item, self._run_many, lambda: self._alone(item))
            except (Exception, SystemExit) as error:  # noqa: BLE001  an outcome that the test checks
                self.outcomes[item] = error

        return work

    def _run_many(self, items: Sequence[int]) -> list[str | Exception | Alone]:
        assert self.leaders == 0, "two groups run at once"
        self.leaders += 1
        self.grouped += items
        self.stepper.gate()
        self.leaders -= 1
        match self.stepper.random.randrange(8):
            case 0:
                raise ConnectionError
            case 1:
                raise SystemExit
        outcomes: list[str | Exception | Alone] = []
        for item in items:
            if item % 4 == 0:
                outcomes.append(ALONE)
            else:
                self.ran[item] += 1
                outcomes.append(f"grouped {item}")
        self.stepper.gate()
        return outcomes

    def _alone(self, item: int) -> str:
        self.stepper.gate()
        self.ran[item] += 1
        return f"alone {item}"


@pytest.mark.parametrize("block", range(10))
def test_in_every_simulated_schedule_each_request_has_one_outcome_and_runs_at_most_once(block: int) -> None:
    for seed in range(block * 30, block * 30 + 30):
        schedule = Schedule(seed).run()
        assert sorted(schedule.outcomes) == list(range(10)), seed
        for item, outcome in schedule.outcomes.items():
            if isinstance(outcome, str):
                assert outcome in (f"grouped {item}", f"alone {item}"), (seed, item)
                assert schedule.ran[item] == 1, (seed, item)
            elif isinstance(outcome, OutcomeUnknown):
                assert schedule.ran[item] <= 1, (seed, item)
            else:
                assert isinstance(outcome, NotRun | ConnectionError | SystemExit), (seed, outcome)
                assert schedule.ran[item] == 0, (seed, item)
        assert not schedule.runner._queue
        assert not schedule.runner._is_led, "no request leads when all have ended"
        assert schedule.runner._in_flight == 0


def test_a_seed_always_gives_the_same_schedule() -> None:
    first, second = Schedule(7).run(), Schedule(7).run()
    assert first.stepper.schedule == second.stepper.schedule
    assert first.grouped == second.grouped
    assert Schedule(9).run().stepper.schedule != first.stepper.schedule
