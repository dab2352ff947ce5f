"""Wait for an effect of another process: poll with a deadline instead of a fixed sleep."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

POLL_SECONDS: Final = 0.05


def eventually(probe: Callable[[], T], timeout: float = 30.0) -> T:
    """Call ``probe`` until it returns a true value, and return that value.

    An AssertionError from ``probe`` counts as "not yet". After ``timeout`` seconds, raise an AssertionError with the
    last result.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            result = probe()
            failure: AssertionError | None = None
        except AssertionError as error:
            failure = error
        else:
            if result:
                return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:g} s; last result: {failure or result!r}") from failure
        time.sleep(POLL_SECONDS)
