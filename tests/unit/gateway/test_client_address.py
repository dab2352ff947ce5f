"""Whose address counts, and how it is counted."""

import pytest

from common.core.addresses import address_to_count
from common.core.errors import InvalidRequest
from services.gateway.client_address import client_address

PEER = "192.0.2.9"


@pytest.mark.parametrize(
    ("sent", "address"),
    [
        ("203.0.113.1", "203.0.113.1"),
        (" 203.0.113.1 ", "203.0.113.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("::ffff:203.0.113.1", "203.0.113.1"),
    ],
)
def test_address_is_taken_from_the_configured_header(sent: str, address: str) -> None:
    environ = {"REMOTE_ADDR": PEER, "HTTP_CLIENTADDRESS": sent}
    assert client_address(environ, "ClientAddress") == address
    assert client_address(environ, "") == PEER, "no header counts that was not configured"


@pytest.mark.parametrize("sent", [None, "", "6.6.6.6,203.0.113.1", "6.6.6.6 203.0.113.1", "rubbish", "203.0.113.1:80"])
def test_missing_and_ambiguous_address_is_rejected(sent: str | None) -> None:
    environ = {"REMOTE_ADDR": PEER, "HTTP_X_FORWARDED_FOR": "203.0.113.1"}
    if sent is not None:
        environ["HTTP_CLIENTADDRESS"] = sent
    with pytest.raises(InvalidRequest):
        client_address(environ, "ClientAddress")


def test_peer_without_an_ip_address_is_named_as_the_server_names_it() -> None:
    assert client_address({}, "") == ""
    assert client_address({"REMOTE_ADDR": "unix:"}, "") == "unix:"


def test_addresses_of_one_ipv6_network_count_as_one() -> None:
    assert address_to_count("2001:db8:1:2:3::4") == address_to_count("2001:db8:1:2::99") == "2001:db8:1:2::/64"
    assert address_to_count("2001:db8:1:3::4") != address_to_count("2001:db8:1:2::4")
    assert address_to_count("192.0.2.9") == "192.0.2.9"
    assert address_to_count("unix:") == "unix:"
