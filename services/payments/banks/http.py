"""HTTP client of one bank, with limits on time, concurrency, retries and size.

Each bank has its own pool, and each call takes one slot of it. If a slow bank occupies all slots, further calls fail
soon instead of holding threads that could serve another bank. A circuit breaker opens after consecutive failures.

Calls that an unauthenticated callback causes have a pool and a breaker of their own, :meth:`BankHttp.for_callbacks`:
anyone can send such callbacks, and they must not occupy the slots of top-ups nor open their breaker.
"""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final, Self

import stamina
import urllib3
from urllib3.exceptions import HTTPError

from common.core.logging import get_logger
from services.payments import log_events
from services.payments.banks.base import BankEnvironment, BankUnavailable
from services.payments.banks.breaker import CircuitBreaker
from services.payments.metrics import BANK_SECONDS

log = get_logger(__name__)

MAX_RESPONSE_BYTES: Final = 1024 * 1024
SLOT_WAIT_SECONDS: Final = 0.5
#: Attempts of a repeatable call in all; none starts after this fraction of the time-out.
REPEATABLE_ATTEMPTS: Final = 3
REPEAT_WITHIN: Final = 0.25


@dataclass(frozen=True, slots=True)
class BankAnswer:
    """A complete response with a status below 500."""

    status: int
    body: bytes

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object, decimal numbers as text; raise BankUnavailable if it is not an object."""
        try:
            found = json.loads(self.body, parse_float=str)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise BankUnavailable(f"the bank's response (status {self.status}) is not a JSON object")
        return found


class BankHttp:
    """A connection pool of one bank. Safe to share between threads."""

    def __init__(
        self,
        name: str,
        base_url: str,
        environment: BankEnvironment,
        *,
        pool_size: int | None = None,
        slot_wait_seconds: float = SLOT_WAIT_SECONDS,
    ) -> None:
        """``pool_size`` defaults to the setting; a call waits ``slot_wait_seconds`` for a slot."""
        pool_size = pool_size or environment.bank_pool_size
        self._name = name
        self._slot_wait_seconds = slot_wait_seconds
        self._base_url = base_url.rstrip("/") + "/"
        self._timeout_seconds = environment.bank_timeout_seconds
        self._slots = threading.BoundedSemaphore(pool_size)
        self.breaker = CircuitBreaker(
            failures=environment.bank_breaker_failures, seconds=environment.bank_breaker_seconds
        )
        self._pool = urllib3.PoolManager(
            num_pools=2,
            maxsize=pool_size,
            retries=False,
            timeout=urllib3.Timeout(
                connect=environment.bank_connect_timeout_seconds, total=environment.bank_timeout_seconds
            ),
            ca_certs=str(environment.bank_ca_bundle) if environment.bank_ca_bundle else None,
        )

    @classmethod
    def for_callbacks(cls, name: str, base_url: str, environment: BankEnvironment) -> Self:
        """Create the pool for calls that verify a callback. A call without a free slot fails at once."""
        # A call that waits for a slot occupies a thread of the web process.
        return cls(name, base_url, environment, pool_size=environment.bank_callback_pool_size, slot_wait_seconds=0)

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = False,
    ) -> BankAnswer:
        """Send one request; raise BankUnavailable for no response, 5xx, a full pool and an open breaker.

        ``repeatable``: the call is idempotent and is retried if it fails early enough.
        """
        deadline = perf_counter() + self._timeout_seconds * REPEAT_WITHIN
        for attempt in stamina.retry_context(
            on=lambda error: isinstance(error, BankUnavailable) and repeatable and perf_counter() < deadline,
            attempts=REPEATABLE_ATTEMPTS,
            timeout=None,
            wait_initial=0.1,
            wait_max=0.3,
            wait_jitter=0.1,
        ):
            with attempt:
                return self._once(method, path, body, headers or {})
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _once(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> BankAnswer:
        if not self.breaker.allows():
            raise BankUnavailable(f"the circuit breaker of {self._name} is open after repeated failures")
        if not self._slots.acquire(timeout=self._slot_wait_seconds):
            raise BankUnavailable(f"all connections to {self._name} are in use")
        started = perf_counter()
        status: int | None = None
        try:
            answer = self._exchange(method, path, body, headers)
            status = answer.status
        except HTTPError as error:
            raise BankUnavailable(f"{self._name} is unreachable or did not respond: {type(error).__name__}") from error
        finally:
            self._slots.release()
            if status is not None and status < 500:
                self.breaker.succeeded()
            else:
                self.breaker.failed()
            seconds = perf_counter() - started
            method_name = path.split("?", 1)[0].split("/", 1)[0]
            BANK_SECONDS.labels(self._name, method_name, str(status or "none")).observe(seconds)
            log.info(
                log_events.BANK_CALLED,
                bank=self._name,
                path=path.split("?", 1)[0],
                status=status,
                duration_ms=round(seconds * 1000, 1),
            )
        if answer.status >= 500:
            raise BankUnavailable(f"{self._name} returned status {answer.status}")
        return answer

    def _exchange(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> BankAnswer:
        response = self._pool.request(
            method,
            self._base_url + path,
            body=body,
            headers=dict(headers),
            redirect=False,
            preload_content=False,
        )
        try:
            content = response.read(MAX_RESPONSE_BYTES + 1)
            if len(content) > MAX_RESPONSE_BYTES:
                raise BankUnavailable(f"the response of {self._name} is too large")
            return BankAnswer(response.status, content)
        finally:
            response.drain_conn()
            response.release_conn()
