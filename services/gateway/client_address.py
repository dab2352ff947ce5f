"""Where a request came from, as far as that can be known."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, Final

#: The same people come again and again, and parsing an address costs as much as a look into Redis saves.
_REMEMBERED: Final = 4096


def client_address(environ: dict[str, Any], trusted_proxies: int) -> str:
    """The client's IP address, in canonical form.

    Each proxy adds the address that it sees to the right of ``X-Forwarded-For``. What stands further left than
    our own proxies wrote was written by the client, who may write what he likes.
    """
    peer = str(environ.get("REMOTE_ADDR", ""))
    if trusted_proxies:
        seen = str(environ.get("HTTP_X_FORWARDED_FOR", "")).split(",")
        if len(seen) >= trusted_proxies:
            return _canonical(seen[-trusted_proxies].strip()) or _canonical(peer) or peer
    return _canonical(peer) or peer


@lru_cache(maxsize=_REMEMBERED)
def address_to_count(address: str) -> str:
    """What limits are counted by: the address, or the /64 that one IPv6 customer has all of."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return str(ip_network((parsed, 64), strict=False)) if isinstance(parsed, IPv6Address) else address


def is_loopback(address: str) -> bool:
    """Whether the address is this machine's own."""
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
