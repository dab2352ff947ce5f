"""Where webhooks may be delivered: https URLs of public addresses (defence against server-side request forgery).

A host name is resolved once per delivery. Every address that it has must be allowed, and the connection goes to these
addresses and to no other, so that a name that resolves to another address afterwards (DNS rebinding) gains nothing.
"""

import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Final

from pydantic import HttpUrl, TypeAdapter, ValidationError

MAX_URL_LENGTH: Final = 2_000

#: IPv6 addresses that stand for the IPv4 address in their last 32 bits: NAT64 (RFC 6052, RFC 8215).
_NAT64: Final = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))
#: ``getaddrinfo`` of the socket module, or what a test has in its place.
Resolver = Callable[..., Sequence[tuple[Any, ...]]]

_URL: Final = TypeAdapter(HttpUrl)


class AddressNotAllowed(Exception):
    """The URL or one of its addresses is not allowed; the text says why, without the address."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL in canonical form, with the only addresses to which it may connect."""

    url: str
    host: str
    port: int
    addresses: tuple[str, ...]


class AddressPolicy:
    """Decides which URLs are allowed, and resolves them."""

    def __init__(
        self, allowed_networks: Iterable[str] = (), *, requires_https: bool, resolver: Resolver = socket.getaddrinfo
    ) -> None:
        """``allowed_networks`` are private networks that are allowed too."""
        self._allowed = [ip_network(network) for network in allowed_networks]
        self._requires_https = requires_https
        self._resolver = resolver

    def canonical_url(self, text: str) -> str:
        """Return the URL in canonical form; raises AddressNotAllowed.

        The parser follows the URL standard of browsers: it turns ``https://2130706433`` and ``https://0x7f.1`` into
        ``https://127.0.0.1/``, so that what is checked is what is connected to.
        """
        return str(self._parse(text))

    def resolve(self, text: str) -> Target:
        """Return the URL with its addresses; raises AddressNotAllowed if any of them is not allowed."""
        url = self._parse(text)
        host, port = str(url.host).strip("[]"), int(url.port or 0)
        try:
            found = self._resolver(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise AddressNotAllowed("the host name cannot be resolved") from None
        addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
        if not addresses:
            raise AddressNotAllowed("the host name cannot be resolved")
        if not all(self.allows(address) for address in addresses):
            raise AddressNotAllowed("the host has an address that is not public")
        return Target(str(url), host, port, addresses)

    def allows(self, address: str) -> bool:
        """Return whether a connection to this IP address is allowed."""
        try:
            parsed = ip_address(address)
        except ValueError:
            return False  # a scoped address such as fe80::1%eth0, among others
        if self._is_in_allowed_network(parsed):
            return True
        if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        return all(
            self._is_in_allowed_network(each) or (each.is_global and not each.is_multicast)
            for each in (parsed, *_embedded(parsed))
        )

    def _is_in_allowed_network(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._allowed)

    def _parse(self, text: str) -> HttpUrl:
        if len(text) > MAX_URL_LENGTH or not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
            raise AddressNotAllowed("it must be a URL in ASCII of at most 2000 characters")
        try:
            url = _URL.validate_python(text)
        except ValidationError:
            raise AddressNotAllowed("it must be a URL like https://example.com/webhooks") from None
        if self._requires_https and url.scheme != "https":
            raise AddressNotAllowed("it must begin with https://")
        if url.username or url.password or url.fragment is not None:
            raise AddressNotAllowed("it must have no user name, password or fragment")
        return url


def _embedded(address: IPv4Address | IPv6Address) -> list[IPv4Address]:
    """Return the IPv4 addresses to which packets for this IPv6 address may be translated or tunnelled."""
    if isinstance(address, IPv4Address):
        return []
    found = [] if address.sixtofour is None else [address.sixtofour]
    if address.teredo is not None:
        found.extend(address.teredo)
    if any(address in network for network in _NAT64) or int(address) >> 32 == 0:
        found.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return found
