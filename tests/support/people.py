"""People of a running system: they register, have money, and act through the public API alone."""

import secrets
from typing import Any

import requests

from launcher.demo import bank_page
from launcher.demo.person import Person, wait_until


def somebody(gateway_url: str, *, kopecks: int = 0) -> Person:
    """A new user, with money on his balance if it is asked for."""
    person = Person("Test", gateway_url)
    person.register()
    if kopecks:
        top_up(person, gateway_url, kopecks)
    return person


def top_up(person: Person, gateway_url: str, kopecks: int) -> str:
    """Top up by card at the sandbox bank, and wait until the balance has grown; returns the transaction's id."""
    before = person.balance()
    return_url = f"{gateway_url}/top-up"
    topup = person.move("/topup", {"amount": kopecks, "returnUrl": return_url}, 201)
    bank_page.pay(topup["paymentUrl"], return_url)
    wait_until("the balance has grown", lambda: person.balance() == before + kopecks)
    return str(topup["transactionID"])


def raw(
    person: Person,
    gateway_url: str,
    method: str,
    path: str,
    body: Any = None,
    *,
    key: str | None = None,
) -> requests.Response:
    """A request of this person's whose answer, whatever it is, the test wants to see."""
    headers = {"Authorization": person.authorization, "Idempotency-Key": key or secrets.token_hex(16)}
    if method == "GET":
        headers.pop("Idempotency-Key")
    return requests.request(method, gateway_url + path, json=body, headers=headers, timeout=20, allow_redirects=False)
