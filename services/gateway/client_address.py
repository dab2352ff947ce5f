"""The address of a client behind trusted proxies."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, Final

#: Number of cached addresses: parsing one is expensive, and clients repeat.
_REMEMBERED: Final = 4096


def client_address(environ: dict[str, Any], trusted_proxies: int) -> str:
    """Return the client's IP address in canonical form.

    Each proxy appends the address of its peer to ``X-Forwarded-For``. Entries to the left of those that the
    ``trusted_proxies`` appended come from the client and are not trusted.
    """
    peer = str(environ.get("REMOTE_ADDR", ""))
    if trusted_proxies:
        seen = str(environ.get("HTTP_X_FORWARDED_FOR", "")).split(",")
        if len(seen) >= trusted_proxies:
            return _canonical(seen[-trusted_proxies].strip()) or _canonical(peer) or peer
    return _canonical(peer) or peer


@lru_cache(maxsize=_REMEMBERED)
def address_to_count(address: str) -> str:
    """Return the key of an address for rate limits: the address, or its /64 for IPv6, which one customer owns."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return str(ip_network((parsed, 64), strict=False)) if isinstance(parsed, IPv6Address) else address


def is_loopback(address: str) -> bool:
    """Return whether the address is a loopback address."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


@lru_cache(maxsize=_REMEMBERED)
def _canonical(text: str) -> str | None:
    try:
        parsed = ip_address(text)
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return str(mapped or parsed)
