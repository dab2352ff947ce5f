"""Which URLs webhooks may be delivered to."""

import socket
from typing import Any

import pytest

from services.webhooks.addresses import AddressNotAllowed, AddressPolicy

PUBLIC = "93.184.216.34"


class Resolver:
    """Resolves every name to the given addresses, one list after the other."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.calls: list[tuple[str, int]] = []

    def __call__(self, host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        self.calls.append((host, port))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answer]


def policy(*answers: list[str], allowed: tuple[str, ...] = (), requires_https: bool = True) -> AddressPolicy:
    return AddressPolicy(allowed, requires_https=requires_https, resolver=Resolver(*(answers or ([PUBLIC],))))


def test_public_https_url_is_allowed_with_the_addresses_of_its_host() -> None:
    resolver = Resolver([PUBLIC, "2606:2800:220:1:248:1893:25c8:1946", PUBLIC])
    target = AddressPolicy(requires_https=True, resolver=resolver).resolve("https://Example.com/hook?a=b")
    assert target.url == "https://example.com/hook?a=b"
    assert (target.host, target.port) == ("example.com", 443)
    assert target.addresses == (PUBLIC, "2606:2800:220:1:248:1893:25c8:1946")
    assert resolver.calls == [("example.com", 443)]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.1.2.3", "0.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
        "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "2001:db8::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1",
        "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:c0a8:101::1",
        "2001:0:7f00:1::1", "not an address",
    ],
)  # fmt: skip
def test_address_that_is_not_public_is_not_allowed(address: str) -> None:
    assert not policy().allows(address)
    with pytest.raises(AddressNotAllowed, match="not public"):
        policy([address]).resolve("https://example.com/")


@pytest.mark.parametrize("address", [PUBLIC, "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34"])
def test_public_address_is_allowed(address: str) -> None:
    assert policy().allows(address)


@pytest.mark.parametrize("position", [0, 1, 2])
def test_one_private_address_among_public_ones_is_enough_to_reject(position: int) -> None:
    addresses = [PUBLIC, "93.184.216.35"]
    addresses.insert(position, "10.0.0.1")
    with pytest.raises(AddressNotAllowed, match="not public"):
        policy(addresses).resolve("https://example.com/")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.1", "localhost", "[::1]",
        "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0", "10.1", "3232235777", "169.254.169.254", "127.0.0.1.",
    ],
)  # fmt: skip
def test_no_spelling_of_a_private_address_is_allowed(host: str) -> None:
    """With the resolver of the system, which knows the old forms of IPv4 addresses too."""
    with pytest.raises(AddressNotAllowed):
        AddressPolicy(requires_https=True).resolve(f"https://{host}/")


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1"])
def test_url_is_canonical_so_that_the_checked_address_is_the_one_of_the_connection(host: str) -> None:
    target = AddressPolicy(["127.0.0.0/8"], requires_https=True).resolve(f"https://{host}/x")
    assert (target.url, target.addresses) == ("https://127.0.0.1/x", ("127.0.0.1",))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://example.com/", "https://"),
        ("ftp://example.com/", "like https"),
        ("file:///etc/passwd", "like https"),
        ("gopher://example.com/", "like https"),
        ("example.com/hook", "like https"),
        ("", "like https"),
        ("https://", "like https"),
        ("https://user@example.com/", "user name"),
        ("https://user:password@example.com/", "user name"),
        ("https://:password@example.com/", "user name"),
        ("https://example.com/#fragment", "fragment"),
        ("https://example.com\\@127.0.0.1/", "ASCII"),
        ("https://example.com/ x", "ASCII"),
        ("https://example.com/\r\nHost: x", "ASCII"),
        ("https://пример.рф/", "ASCII"),
        ("https://example.com/" + "a" * 2_000, "at most 2000"),
    ],
)
def test_url_of_another_form_is_not_allowed(url: str, reason: str) -> None:
    with pytest.raises(AddressNotAllowed, match=reason):
        policy().resolve(url)


def test_http_is_allowed_in_the_sandbox() -> None:
    assert policy(requires_https=False).resolve("http://example.com/").port == 80


@pytest.mark.parametrize("error", [socket.gaierror("no such host"), UnicodeError("label too long"), OSError("down")])
def test_host_that_cannot_be_resolved_is_not_allowed(error: Exception) -> None:
    def fail(*_: Any, **__: Any) -> list[tuple[Any, ...]]:
        raise error

    with pytest.raises(AddressNotAllowed, match="cannot be resolved"):
        AddressPolicy(requires_https=True, resolver=fail).resolve("https://example.com/")


def test_host_without_an_address_is_not_allowed() -> None:
    with pytest.raises(AddressNotAllowed, match="cannot be resolved"):
        policy([]).resolve("https://example.com/")


def test_allowed_network_admits_its_addresses_and_no_others() -> None:
    allowed = policy(allowed=("127.0.0.0/8", "::1/128"))
    assert [allowed.allows(each) for each in ("127.0.0.1", "::1", "::ffff:127.0.0.1")] == [True] * 3
    assert [allowed.allows(each) for each in ("10.0.0.1", "::ffff:10.0.0.1", "fe80::1")] == [False] * 3
