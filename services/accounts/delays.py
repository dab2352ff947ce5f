"""Delay of sign-ins to an account that is under attack, for devices that the account does not know."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

from common.core.errors import TooManyRequests

#: Maximum number of sign-ins to one account that are delayed at the same time in this process.
DELAYED_PER_ACCOUNT: Final = 2
#: The same for all accounts. A delayed sign-in occupies a thread.
DELAYED_AT_ONCE: Final = 8


class SignInDelays:
    """Delays sign-ins, one at a time per account and address. Thread-safe.

    An attacker gets at most ``DELAYED_PER_ACCOUNT`` attempts per delay, from however many addresses. An owner at
    another address is delayed, and refused only while others occupy all places of the account.
    """

    def __init__(self, seconds: float, *, wait: Callable[[float], None] = time.sleep) -> None:
        self._seconds = seconds
        self._wait = wait
        self._lock = Lock()
        self._delayed: Counter[str] = Counter()
        self._sources: set[tuple[str, str]] = set()

    def delay(self, login: str, address: str) -> None:
        """Wait for the delay; raises TooManyRequests at once if too many sign-ins are delayed."""
        with self._place(login, address):
            self._wait(self._seconds)

    @contextmanager
    def _place(self, login: str, address: str) -> Iterator[None]:
        source = (login, address)
        with self._lock:
            if (
                source in self._sources
                or self._delayed[login] >= DELAYED_PER_ACCOUNT
                or self._delayed.total() >= DELAYED_AT_ONCE
            ):
                raise TooManyRequests(
                    "too many failed attempts: try again later", retry_after_seconds=max(1, round(self._seconds))
                )
            self._sources.add(source)
            self._delayed[login] += 1
        try:
            yield
        finally:
            with self._lock:
                self._sources.remove(source)
                self._delayed[login] -= 1
                self._delayed += Counter()  # forgets accounts without delayed sign-ins
