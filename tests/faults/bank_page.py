"""A visit to the payment page of the sandbox bank, as the browser of the payer makes it."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode, urlsplit

from launcher.demo.bank_page import CARD_THAT_PAYS, Form
from tests.faults.connection import Connection, HttpResponse, NoResponse

TIMEOUT_SECONDS: Final = 20.0
CARD_THAT_IS_DECLINED: Final = {**CARD_THAT_PAYS, "card_number": "4000 0000 0000 0002"}


@dataclass(frozen=True, slots=True)
class Visit:
    """``outcome``: done, unknown, or an unexpected status. ``location``: where the bank redirects the browser."""

    outcome: str
    location: str = ""


def visit(payment_url: str, kind: str = "pay") -> Visit:
    """Pay, be declined or abort (``kind``). A page without a form is done: only one payer knows its address."""
    bank, path = Connection(payment_url), urlsplit(payment_url).path
    try:
        page = _send(bank, "GET", path)
        if page.status >= 500:
            return Visit("unknown")
        form = Form(page.text)
        if "card_number" not in form.fields:
            return Visit("done" if page.status == 200 else str(page.status))
        card = CARD_THAT_IS_DECLINED if kind == "decline" else CARD_THAT_PAYS
        fields = {**form.fields, **card, "action": "cancel" if kind == "abort" else "pay"}
        response = _send(bank, "POST", path, urlencode(fields))
    except NoResponse:
        return Visit("unknown")
    finally:
        bank.close()
    if response.status >= 500:
        return Visit("unknown")
    is_done = response.status == 303
    return Visit("done" if is_done else str(response.status), response.headers.get("location", ""))


def _send(bank: Connection, method: str, path: str, body: str | None = None) -> HttpResponse:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return bank.request(method, path, body, headers=headers, timeout_seconds=TIMEOUT_SECONDS)
