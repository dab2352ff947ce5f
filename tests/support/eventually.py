"""Waiting for what another process does: by looking, until a deadline, never by a sleep for luck."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

LOOK_EVERY_SECONDS: Final = 0.05


def eventually(look: Callable[[], T], timeout: float = 30.0) -> T:
    """Call ``look`` until it returns something true, and return that.

    A look may also fail with an AssertionError: it counts as "not yet". When ``timeout`` seconds have passed, an
    AssertionError tells what the last look saw.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            seen = look()
            failure: AssertionError | None = None
        except AssertionError as error:
            failure = error
        else:
            if seen:
                return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:g} s; the last look saw: {failure or seen!r}") from failure
        time.sleep(LOOK_EVERY_SECONDS)
