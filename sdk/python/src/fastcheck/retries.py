"""Repeat requests that may be repeated: transports that wrap those of httpx.

A request is repeated after a lost connection, ``429``, ``502``, ``503`` and ``409 request_in_progress`` if it cannot
act twice: a read, a deletion, or a request with an ``Idempotency-Key``. Other requests are repeated only if they were
certainly not processed: no connection was made, or the status is ``429``.
"""

import asyncio
import json
import random
import time
from typing import Final

import httpx

#: The first delay, which doubles with every attempt, and the longest one, in seconds.
FIRST_DELAY_SECONDS: Final = 0.25
MAX_DELAY_SECONDS: Final = 10.0

_REPEATABLE: Final = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
_STATUSES: Final = frozenset({502, 503})


def may_repeat(request: httpx.Request) -> bool:
    """Return whether the request has no second effect if it is processed twice."""
    return request.method in _REPEATABLE or "Idempotency-Key" in request.headers


def is_repeated_after(request: httpx.Request, error: httpx.TransportError) -> bool:
    """Return whether the request is repeated after this failure of the connection."""
    return may_repeat(request) or isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)


def is_temporary(request: httpx.Request, response: httpx.Response) -> bool:
    """Return whether the request is repeated after this response, whose body has been read."""
    if response.status_code == 429:
        # A frozen check answers 429 too, for minutes or until its code is changed.
        return _delay_of(response) is not None and _code(response) == "too_many_requests"
    if not may_repeat(request):
        return False
    return response.status_code in _STATUSES or _code(response) == "request_in_progress"


def delay_seconds(attempt: int, response: httpx.Response | None) -> float:
    """Return the delay after a failed attempt, the first of which is 1: ``Retry-After``, or a growing random delay."""
    asked = _delay_of(response) if response is not None else None
    if asked is not None:
        return min(asked, MAX_DELAY_SECONDS)
    most = min(FIRST_DELAY_SECONDS * 2.0 ** (attempt - 1), MAX_DELAY_SECONDS)
    return random.uniform(most / 2, most)  # noqa: S311


def _delay_of(response: httpx.Response) -> float | None:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdigit() else None


def _code(response: httpx.Response) -> object:
    try:
        return json.loads(response.content).get("code")
    except (ValueError, AttributeError):
        return None


class RetryTransport(httpx.BaseTransport):
    """Repeats requests of a sync client."""

    def __init__(self, transport: httpx.BaseTransport, retries: int) -> None:
        self._transport, self._retries = transport, retries

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request, and repeat it up to ``retries`` times."""
        for attempt in range(1, self._retries + 1):
            try:
                response = self._transport.handle_request(request)
                response.read()
            except httpx.TransportError as error:
                if not is_repeated_after(request, error):
                    raise
                time.sleep(delay_seconds(attempt, None))
            else:
                if not is_temporary(request, response):
                    return response
                time.sleep(delay_seconds(attempt, response))
        return self._transport.handle_request(request)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()


class AsyncRetryTransport(httpx.AsyncBaseTransport):
    """Repeats requests of an async client."""

    def __init__(self, transport: httpx.AsyncBaseTransport, retries: int) -> None:
        self._transport, self._retries = transport, retries

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request, and repeat it up to ``retries`` times."""
        for attempt in range(1, self._retries + 1):
            try:
                response = await self._transport.handle_async_request(request)
                await response.aread()
            except httpx.TransportError as error:
                if not is_repeated_after(request, error):
                    raise
                await asyncio.sleep(delay_seconds(attempt, None))
            else:
                if not is_temporary(request, response):
                    return response
                await asyncio.sleep(delay_seconds(attempt, response))
        return await self._transport.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()
