"""Visits to the bank's payment page, repeated after lost responses."""

import time
from typing import Final
from urllib.parse import urlencode, urlsplit

from launcher.demo.bank_page import CARD_THAT_PAYS, Form
from tests.faults.chaos.client import (
    GIVE_UP_SECONDS,
    RETRY_FIRST_SECONDS,
    RETRY_MAX_SECONDS,
    TIMEOUT_SECONDS,
    Client,
)
from tests.faults.chaos.wire import Answer, Silence, Wire

CARD_THAT_IS_DECLINED: Final = {**CARD_THAT_PAYS, "card_number": "4000 0000 0000 0002"}
#: The actions on the page, which are the names of the operations.
KINDS: Final = ("pay", "decline", "abort")
#: Share of visits that follow the redirect to the shop; the others close the browser.
RETURN_SHARE: Final = 0.6


def visit(client: Client, payment_url: str, transaction_id: str, kind: str) -> None:
    """Pay, be declined or abort (``kind``) until the page reports the end of the payment."""
    operation = client.new_operation()
    client.journal.write("request", operation=operation, kind=kind, transaction=transaction_id)
    outcome = "unknown"
    parts = urlsplit(payment_url)
    bank = Wire(payment_url)
    try:
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while outcome == "unknown" and time.monotonic() < deadline:
            outcome = _act_once(client, bank, parts.path, kind)
            if outcome == "unknown":
                client.shared.over.wait(client.rng.uniform(RETRY_FIRST_SECONDS, RETRY_MAX_SECONDS))
    finally:
        bank.close()
    client.journal.write("end", operation=operation, kind=kind, outcome=outcome)
    client.shared.tally.operation(kind, outcome)


def _act_once(client: Client, bank: Wire, path: str, kind: str) -> str:
    """Return ``done`` when the page has ended: only this client knows its address."""
    page = _send(client, bank, "GET", path)
    if page is None or page.status >= 500:
        return "unknown"
    form = Form(page.text)
    if "card_number" not in form.fields:
        return "done" if page.status == 200 else f"{page.status}"
    card = CARD_THAT_IS_DECLINED if kind == "decline" else CARD_THAT_PAYS
    fields = {**form.fields, **card, "action": "cancel" if kind == "abort" else "pay"}
    response = _send(client, bank, "POST", path, urlencode(fields))
    if response is None or response.status >= 500:
        return "unknown"
    if response.status == 303:
        _return_to_shop(client, response.headers["location"])
        return "done"
    return str(response.status)


def _send(client: Client, bank: Wire, method: str, path: str, body: str | None = None) -> Answer | None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    try:
        response = bank.request(method, path, headers=headers, body=body, timeout_seconds=TIMEOUT_SECONDS)
    except Silence:
        client.shared.tally.request("no response", decides=False)
        return None
    client.shared.tally.request(str(response.status), decides=response.status < 500)
    return response


def _return_to_shop(client: Client, location: str) -> None:
    """Follow the redirect, which moves no money; its response is ignored."""
    if client.rng.random() >= RETURN_SHARE:
        return
    parts = urlsplit(location)
    gateway = Wire(location)
    try:
        _send(client, gateway, "GET", f"{parts.path}?{parts.query}" if parts.query else parts.path)
    finally:
        gateway.close()
