"""The client's address, and which part of ``X-Forwarded-For`` is trusted."""

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
def test_only_addresses_added_by_trusted_proxies_are_used(forwarded: str | None, trusted: int, address: str) -> None:
    environ = {"REMOTE_ADDR": "192.0.2.9"} | ({} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded})
    assert client_address(environ, trusted) == address


def test_peer_without_an_ip_address_keeps_its_name() -> None:
    assert client_address({}, 0) == ""
    assert client_address({"REMOTE_ADDR": "unix:"}, 0) == "unix:"


def test_addresses_of_one_ipv6_network_count_as_one() -> None:
    assert address_to_count("2001:db8:1:2:3::4") == address_to_count("2001:db8:1:2::99") == "2001:db8:1:2::/64"
    assert address_to_count("2001:db8:1:3::4") != address_to_count("2001:db8:1:2::4")
    assert address_to_count("192.0.2.9") == "192.0.2.9"
    assert address_to_count("unix:") == "unix:"


@pytest.mark.parametrize(
    ("address", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("192.0.2.9", False), ("10.0.0.1", False), ("", False)],
)
def test_loopback_addresses_are_recognized(address: str, loopback: bool) -> None:
    assert is_loopback(address) is loopback
