"""Admission of requests: sessions and rate limits."""

import math
from typing import Final

from common.core.addresses import address_to_count
from common.core.errors import NotAuthorized, TooManyRequests
from services.gateway.clients import VerifiedSession
from services.gateway.context import Context
from services.gateway.models import Call, Limit, Rate
from services.gateway.repository import CacheDown, LookUp

#: The result when Redis is unavailable. Without ``since`` nothing is cached.
_NOTHING_KNOWN: Final = LookUp(user_id=None, wait_us=0, since="")


def admit_user(context: Context, service: str, rate: Rate, session_hash: str, *, address: str, request_id: str) -> Call:
    """Admit a request with a session; raises NotAuthorized, TooManyRequests or ServiceUnavailable.

    Costs one round trip to Redis, and once a minute per session another one and a call to accounts. If Redis is
    unavailable, every request costs a call to accounts.
    """
    guest = _guest(Rate.GUEST, address)
    try:
        known = context.cache.look_up(session_hash, rate, context.limits[rate], guest, context.limits[Rate.GUEST])
    except CacheDown:
        known = _NOTHING_KNOWN
    _refuse_if_early(known.wait_us)
    if known.user_id is not None:
        return Call(service, rate, known.user_id, session_hash)
    verified = context.accounts.verify_session(session_hash, request_id)
    if verified is None:
        # Session ids cannot be guessed, but each guess costs a call to accounts, so guesses are limited.
        _count(context, guest, context.limits[Rate.GUEST])
        raise NotAuthorized
    if known.since:
        _refuse_if_early(_remember(context, rate, session_hash, verified, known.since))
    return Call(service, rate, verified.user_id, session_hash)


def admit_guest(context: Context, service: str, rate: Rate, *, address: str) -> Call:
    """Admit a request without a session; raises TooManyRequests."""
    _refuse_if_early(_count(context, _guest(rate, address), context.limits[rate]))
    return Call(service, rate)


def admit_sign_in(context: Context, service: str, rate: Rate, *, address: str, cookies: str) -> Call:
    """Admit a sign-in: counted per known device if the client proves to be one, else per client address.

    Raises TooManyRequests.
    """
    devices = context.devices.proven(cookies)
    if not devices:
        return admit_guest(context, service, rate, address=address)
    _refuse_if_early(_count(context, f"{rate}:device:{devices[0].device_id}", context.limits[rate]))
    return Call(service, rate, devices=devices)


def _remember(context: Context, rate: Rate, session_hash: str, verified: VerifiedSession, since: str) -> int:
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
        return 0


def _count(context: Context, subject: str, limit: Limit) -> int:
    """Count the request; return the microseconds to wait. Limits do not apply while Redis is unavailable."""
    if limit.burst == 0:
        return 0
    try:
        return context.cache.count(subject, limit)
    except CacheDown:
        return 0


def _guest(rate: Rate, address: str) -> str:
    return f"{rate}:{address_to_count(address)}"


def _refuse_if_early(wait_us: int) -> None:
    if wait_us > 0:
        raise TooManyRequests(retry_after_seconds=math.ceil(wait_us / 1_000_000))
