"""Users of a running system: they register, hold a balance and act through the public API alone."""

import secrets
from typing import Any

import requests

from launcher.demo import bank_page
from launcher.demo.user import DemoUser, wait_until


def create_user(gateway_url: str, *, kopecks: int = 0) -> DemoUser:
    """Register a user with a balance in kopecks."""
    user = DemoUser("Test", gateway_url)
    user.register()
    if kopecks:
        top_up(user, gateway_url, kopecks)
    return user


def top_up(user: DemoUser, gateway_url: str, kopecks: int) -> str:
    """Top up by card at the sandbox bank, wait for the credit, and return the transaction's id."""
    before = user.balance()
    return_url = f"{gateway_url}/top-up"
    topup = user.post("/topup", {"amount": kopecks, "returnUrl": return_url}, 201)
    bank_page.pay(topup["paymentUrl"], return_url)
    wait_until("the balance has grown", lambda: user.balance() == before + kopecks)
    return str(topup["transactionID"])


def send(
    user: DemoUser,
    gateway_url: str,
    method: str,
    path: str,
    body: Any = None,
    *,
    key: str | None = None,
) -> requests.Response:
    """Send a request of this user and return the response, whatever its status."""
    headers = {"Authorization": user.authorization, "Idempotency-Key": key or secrets.token_hex(16)}
    if method == "GET":
        headers.pop("Idempotency-Key")
    return requests.request(method, gateway_url + path, json=body, headers=headers, timeout=20, allow_redirects=False)
