"""Form a group of requests: occupy the leader's seat, let the requests queue in order, and release the seat."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from common.core.grouping import GroupRunner
from tests.integration.checks.checks_system import ChecksSystem, Json
from tests.support.eventually import eventually

T = TypeVar("T")

TIMEOUT_SECONDS = 60.0

#: The status and the error code of a response.
Code = tuple[int, str | None]


def group_always(system: ChecksSystem) -> None:
    """Let every create and accept of the system queue for a group, also at low load."""
    context = replace(
        system.context,
        creations=GroupRunner("create", ungrouped=0, wait_seconds=TIMEOUT_SECONDS),
        acceptances=GroupRunner("accept", ungrouped=0, wait_seconds=TIMEOUT_SECONDS),
    )
    system.context = context
    system.app.extensions["context"] = context


def in_one_group(runner: GroupRunner[Any, Any], requests: Sequence[Callable[[], T]]) -> list[T]:
    """Run the requests as one group, in this order; return their results."""
    entered, released = threading.Event(), threading.Event()

    def hold_the_seat() -> None:
        entered.set()
        assert released.wait(TIMEOUT_SECONDS)

    with ThreadPoolExecutor(len(requests) + 1) as threads:
        seat = threads.submit(runner.submit, None, lambda _: [], hold_the_seat)
        assert entered.wait(TIMEOUT_SECONDS)
        results = []
        for count, request in enumerate(requests, start=1):
            results.append(threads.submit(request))
            eventually(lambda count=count: len(runner._queue) == count)  # type: ignore[misc]
        released.set()
        seat.result(TIMEOUT_SECONDS)
        return [result.result(TIMEOUT_SECONDS) for result in results]


def create(system: ChecksSystem, user_id: UUID, amount: int, key: str | None = None) -> Callable[[], Any]:
    return partial(system.try_create, user_id, amount, key)


def accept(
    system: ChecksSystem, user_id: UUID, check: Json, code: str | None = None, key: str | None = None
) -> Callable[[], Any]:
    return partial(system.accept, user_id, check, code, key)


def outcome(response: Any) -> Code:
    """Return the status and the error code of a response."""
    return response.status_code, response.get_json().get("code") if response.status_code >= 400 else None


def count_checks(system: ChecksSystem, status: str) -> int:
    return int(system.rows("SELECT count(*) AS n FROM checks WHERE status = :status", status=status)[0]["n"])
