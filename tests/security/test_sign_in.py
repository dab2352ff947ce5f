"""Guessing a password from many addresses of one customer, while the owner of the account signs in."""

from concurrent.futures import ThreadPoolExecutor

from tests.integration.gateway.conftest import PASSWORD, Gateway, Stack, stack

__all__ = ["stack"]

WRONG = {"login": "alice", "password": "wrong horse battery"}
RIGHT = {"login": "alice", "password": PASSWORD}


def status(gateway: Gateway, body: dict[str, str], address: str, **headers: str) -> int:
    return gateway.post("/login", body, ClientAddress=address, **headers).status_code


def test_addresses_of_one_ipv6_network_share_their_guesses_and_the_owner_still_signs_in(stack: Stack) -> None:
    gateway = stack.gateway(client_address_header="ClientAddress")
    registered = gateway.post("/register", RIGHT, ClientAddress="198.51.100.7")
    cookie = registered.headers["Set-Cookie"].split(";")[0]
    assert [status(gateway, WRONG, f"2001:db8::{number:x}") for number in range(10)] == [401] * 10
    with ThreadPoolExecutor(16) as pool:
        guesses = [pool.submit(status, gateway, WRONG, f"2001:db8::1:{number:x}") for number in range(16)]
        # Where the attacker is, on a device that is known; and elsewhere, on one that is not.
        assert status(gateway, RIGHT, "2001:db8::1", Cookie=cookie) == 200
        assert status(gateway, RIGHT, "198.51.100.8") == 200
    results = [guess.result() for guess in guesses]
    assert set(results) == {401, 429}
    # One at a time is delayed by three seconds; the others are refused at once, on a busy machine a little later.
    assert results.count(401) <= 4


def test_new_accounts_of_one_network_are_limited(stack: Stack) -> None:
    gateway = stack.gateway(client_address_header="ClientAddress")
    statuses = [
        gateway.post(
            "/register", {"login": f"user{number}", "password": PASSWORD}, ClientAddress=f"2001:db8::{number:x}"
        ).status_code
        for number in range(21)
    ]
    assert statuses == [201] * 20 + [429]
    elsewhere = gateway.post("/register", RIGHT, ClientAddress="2001:db8:0:1::1")
    assert elsewhere.status_code == 201
