"""Admission of requests: sessions and rate limits."""

import math
from collections.abc import Callable
from typing import Final

from common.core.addresses import address_to_count
from common.core.errors import NotAuthorized, TooManyRequests
from services.gateway.clients import VerifiedSession
from services.gateway.context import Context
from services.gateway.models import Call, Limit, Rate
from services.gateway.repository import CacheDown, LookUp

#: The result when Redis is unavailable. Without ``since`` nothing is cached.
_NOTHING_KNOWN: Final = LookUp(user_id=None, wait_us=0, since="")


#: Gets the limit that a request was counted against, with ``wait_us`` as in ``LookUp``.
Report = Callable[[Rate, int], None]


def admit_user(
    context: Context,
    service: str,
    rate: Rate,
    session_hash: str,
    *,
    address: str,
    request_id: str,
    report: Report,
) -> Call:
    """Admit a request with a session; raises NotAuthorized, TooManyRequests or ServiceUnavailable.

    Costs one round trip to Redis, and once a minute per session another one and a call to accounts. If Redis is
    unavailable, every request costs a call to accounts.
    """
    guest = _guest(Rate.GUEST, address)
    try:
        known = context.cache.look_up(session_hash, rate, context.limits[rate], guest, context.limits[Rate.GUEST])
    except CacheDown:
        known = _NOTHING_KNOWN
    if known.user_id is not None:
        _admit(report, rate, known.wait_us)
        return Call(service, rate, known.user_id, session_hash)
    if known.wait_us > 0:
        _admit(report, Rate.GUEST, known.wait_us)
    verified = context.accounts.verify_session(session_hash, request_id)
    if verified is None:
        # Session ids cannot be guessed, but each guess costs a call to accounts, so guesses are limited.
        used = _count(context, guest, context.limits[Rate.GUEST])
        if used is not None:
            report(Rate.GUEST, used)
        raise NotAuthorized
    if known.since:
        _admit(report, rate, _remember(context, rate, session_hash, verified, known.since))
    return Call(service, rate, verified.user_id, session_hash)


def admit_guest(context: Context, service: str, rate: Rate, *, address: str, report: Report) -> Call:
    """Admit a request without a session; raises TooManyRequests."""
    _admit(report, rate, _count(context, _guest(rate, address), context.limits[rate]))
    return Call(service, rate)


def admit_sign_in(context: Context, service: str, rate: Rate, *, address: str, cookies: str, report: Report) -> Call:
    """Admit a sign-in: counted per known device if the client proves to be one, else per client address.

    Raises TooManyRequests.
    """
    devices = context.devices.proven(cookies)
    if not devices:
        return admit_guest(context, service, rate, address=address, report=report)
    _admit(report, rate, _count(context, f"{rate}:device:{devices[0].device_id}", context.limits[rate]))
    return Call(service, rate, devices=devices)


def _remember(context: Context, rate: Rate, session_hash: str, verified: VerifiedSession, since: str) -> int | None:
    try:
        return context.cache.remember(
            session_hash,
            verified.user_id,
            since=since,
            seconds=verified.cache_seconds,
            rate=rate,
            limit=context.limits[rate],
        )
    except CacheDown:
        return None


def _count(context: Context, subject: str, limit: Limit) -> int | None:
    """Count the request; return ``wait_us``, or None while Redis is unavailable: limits do not apply then."""
    if limit.burst == 0:
        return None
    try:
        return context.cache.count(subject, limit)
    except CacheDown:
        return None


def _guest(rate: Rate, address: str) -> str:
    return f"{rate}:{address_to_count(address)}"


def _admit(report: Report, rate: Rate, wait_us: int | None) -> None:
    """Report the limit that the request was counted against, if any; raise TooManyRequests if it is exceeded."""
    if wait_us is None:
        return
    report(rate, wait_us)
    if wait_us > 0:
        raise TooManyRequests(retry_after_seconds=math.ceil(wait_us / 1_000_000))
