"""Whose address counts, and what is believed of ``X-Forwarded-For``."""

import pytest

from services.gateway.client_address import address_to_count, client_address, is_loopback


@pytest.mark.parametrize(
    ("forwarded", "trusted", "address"),
    [
        (None, 0, "192.0.2.9"),
        ("203.0.113.1", 0, "192.0.2.9"),
        (None, 1, "192.0.2.9"),
        ("203.0.113.1", 1, "203.0.113.1"),
        ("6.6.6.6, 203.0.113.1", 1, "203.0.113.1"),
        ("6.6.6.6, 203.0.113.1, 198.51.100.2", 2, "203.0.113.1"),
        ("203.0.113.1", 2, "192.0.2.9"),
        ("6.6.6.6, rubbish", 1, "192.0.2.9"),
        ("", 1, "192.0.2.9"),
        ("2001:DB8:0::1", 1, "2001:db8::1"),
        ("::ffff:203.0.113.1", 1, "203.0.113.1"),
    ],
)
def test_only_what_our_own_proxies_wrote_is_believed(forwarded: str | None, trusted: int, address: str) -> None:
    environ = {"REMOTE_ADDR": "192.0.2.9"} | ({} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded})
    assert client_address(environ, trusted) == address


def test_an_unknown_peer_is_still_somebody() -> None:
    assert client_address({}, 0) == ""
    assert client_address({"REMOTE_ADDR": "unix:"}, 0) == "unix:"


def test_an_ipv6_customer_is_counted_as_one() -> None:
    assert address_to_count("2001:db8:1:2:3::4") == address_to_count("2001:db8:1:2::99") == "2001:db8:1:2::/64"
    assert address_to_count("2001:db8:1:3::4") != address_to_count("2001:db8:1:2::4")
    assert address_to_count("192.0.2.9") == "192.0.2.9"
    assert address_to_count("unix:") == "unix:"


@pytest.mark.parametrize(
    ("address", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("192.0.2.9", False), ("10.0.0.1", False), ("", False)],
)
def test_this_machine_is_known_as_such(address: str, loopback: bool) -> None:
    assert is_loopback(address) is loopback
