"""A visit to the bank's payment page, by a person whose browser may get no answer and who then looks again."""

import time
from typing import Final
from urllib.parse import urlencode, urlsplit

from launcher.demo.bank_page import CARD_THAT_PAYS, Form
from tests.faults.chaos.client import (
    FIRST_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    PATIENCE_SECONDS,
    TIMEOUT_SECONDS,
    Client,
)
from tests.faults.chaos.wire import Answer, Silence, Wire

CARD_THAT_IS_DECLINED: Final = {**CARD_THAT_PAYS, "card_number": "4000 0000 0000 0002"}
#: What somebody does at the page; also the names of these operations.
INTENTS: Final = ("pay", "decline", "call off")
#: So many people close the browser at the bank, and never come back by its redirect.
COMES_BACK_SHARE: Final = 0.6


def visit(client: Client, payment_url: str, transaction_id: str, intent: str) -> None:
    """Pay, be declined or call it off (``intent``), until the page says that the payment is over."""
    operation = client.new_operation()
    client.journal.write("ask", operation=operation, kind=intent, transaction=transaction_id)
    outcome = "unknown"
    parts = urlsplit(payment_url)
    bank = Wire(payment_url)
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while outcome == "unknown" and time.monotonic() < deadline:
            outcome = _try_once(client, bank, parts.path, intent)
            if outcome == "unknown":
                client.world.pace.over.wait(client.rng.uniform(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS))
    finally:
        bank.close()
    client.journal.write("end", operation=operation, kind=intent, outcome=outcome)
    client.world.tally.operation(intent, outcome)


def _try_once(client: Client, bank: Wire, path: str, intent: str) -> str:
    """``done`` when the page is over: nobody but this client knows its address."""
    page = _ask(client, bank, "GET", path)
    if page is None or page.status >= 500:
        return "unknown"
    form = Form(page.text)
    if "card_number" not in form.fields:
        return "done" if page.status == 200 else f"{page.status}"
    card = CARD_THAT_IS_DECLINED if intent == "decline" else CARD_THAT_PAYS
    fields = {**form.fields, **card, "action": "cancel" if intent == "call off" else "pay"}
    answer = _ask(client, bank, "POST", path, urlencode(fields))
    if answer is None or answer.status >= 500:
        return "unknown"
    if answer.status == 303:
        _perhaps_come_back(client, answer.headers["location"])
        return "done"
    return str(answer.status)


def _ask(client: Client, bank: Wire, method: str, path: str, body: str | None = None) -> Answer | None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    try:
        answer = bank.request(method, path, headers=headers, body=body, timeout_seconds=TIMEOUT_SECONDS)
    except Silence:
        client.world.tally.request("no answer", decides=False)
        return None
    client.world.tally.request(str(answer.status), decides=answer.status < 500)
    return answer


def _perhaps_come_back(client: Client, location: str) -> None:
    """The redirect moves no money; whether it is answered does not matter to anybody's balance."""
    if client.rng.random() >= COMES_BACK_SHARE:
        return
    parts = urlsplit(location)
    gateway = Wire(location)
    try:
        _ask(client, gateway, "GET", f"{parts.path}?{parts.query}" if parts.query else parts.path)
    finally:
        gateway.close()
