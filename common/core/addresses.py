"""IP addresses of clients, in the form in which limits count them."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

#: Number of cached addresses: parsing one is expensive, and clients repeat.
_REMEMBERED: Final = 4096


@lru_cache(maxsize=_REMEMBERED)
def canonical_address(text: str) -> str | None:
    """Return an IP address in canonical form, an IPv4-mapped one as IPv4; None for other text."""
    try:
        parsed = ip_address(text)
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return str(mapped or parsed)


@lru_cache(maxsize=_REMEMBERED)
def address_to_count(address: str) -> str:
    """Return the key of an address for limits: the address, or its /64 for IPv6, which one customer owns."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return str(ip_network((parsed, 64), strict=False)) if isinstance(parsed, IPv6Address) else address
