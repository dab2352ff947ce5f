"""Helpers of the demo: the bank's form, formats of checks, amounts."""

from typing import Any

import pytest

from launcher.demo.bank_page import Form
from launcher.demo.failure import StepFailed
from launcher.demo.scenario import roubles
from launcher.demo.shapes import check_active, check_history
from launcher.demo.user import wait_until

PAGE = """
<form action="/language"><input name="lang" value="ru"></form>
<form method="POST"><input type=hidden name="token" value="a&amp;b">
  <input name="card_number"><input name=expiry /><input name=cvc></form>
<form action="/search"><input name="q"></form>
"""

ACTIVE: dict[str, Any] = {
    "fastcheck": "1234-5678-0001",
    "amount": 15000,
    "currency": "RUB",
    "code": "5864",
    "createdAt": "2026-01-19T09:08:18Z",
    "expiration": "2026-01-26T09:08:18Z",
    "status": "active",
}
CREATED: dict[str, Any] = {
    "fastcheck": "1234-5678-0003",
    "amount": 5000,
    "currency": "RUB",
    "type": "created",
    "createdAt": "2026-01-15T09:08:18Z",
    "usedAt": "2026-01-15T10:20:00Z",
    "status": "used",
}
ACCEPTED: dict[str, Any] = {
    "fastcheck": "9876-5432-0100",
    "amount": 10000,
    "currency": "RUB",
    "type": "accepted",
    "acceptedAt": "2026-01-14T14:30:00Z",
    "status": "used",
}


def test_card_form_is_found_among_others() -> None:
    form = Form(PAGE)
    assert (form.method, form.action) == ("post", "")
    assert form.fields == {"token": "a&b", "card_number": "", "expiry": "", "cvc": ""}


def test_examples_of_the_source_document_are_valid() -> None:
    check_active(ACTIVE)
    check_history(CREATED)
    check_history(ACCEPTED)


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 15000.0},
        {"amount": "15000"},
        {"code": 5864},
        {"code": "586"},
        {"fastcheck": "123456780001"},
        {"createdAt": "2026-01-19T09:08:18.123Z"},
        {"createdAt": "2026-01-19T09:08:18+00:00"},
        {"status": "used"},
        {"checkID": "x"},
    ],
)
def test_active_check_with_another_format_is_rejected(change: dict[str, Any]) -> None:
    with pytest.raises((StepFailed, TypeError)):
        check_active(ACTIVE | change)


@pytest.mark.parametrize(
    "item",
    [
        CREATED | {"status": "expired"},
        CREATED | {"code": "5864"},
        CREATED | {"status": "lost"},
        ACCEPTED | {"createdAt": "2026-01-15T09:08:18Z"},
        ACCEPTED | {"status": "expired"},
        {name: value for name, value in CREATED.items() if name != "usedAt"},
    ],
)
def test_history_entry_with_another_format_is_rejected(item: dict[str, Any]) -> None:
    with pytest.raises(StepFailed):
        check_history(item)


def test_wait_that_times_out_names_its_condition() -> None:
    with pytest.raises(StepFailed, match="not within 0 seconds: the check is used"):
        wait_until("the check is used", lambda: False, timeout_seconds=0)


def test_amounts_are_formatted_in_roubles() -> None:
    assert roubles(100_000) == "1\N{NO-BREAK SPACE}000.00 ₽"
    assert roubles(5) == "0.05 ₽"
