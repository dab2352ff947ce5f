"""T-Bank's protocol: tokens over the received fields, and the meaning of its statuses."""

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from common.core.money import Money
from services.payments.banks.base import (
    BadSignature,
    BankEnvironment,
    BankPayment,
    BankUnavailable,
    PaymentOrder,
    PaymentStatus,
)
from services.payments.banks.http import BankAnswer
from services.payments.banks.tbank import STATUSES, TBank, TBankSettings, token
from services.sandbox_bank.protocols.tbank import sign

PASSWORD = "the terminal's password"

VALUES = st.one_of(st.text(max_size=20), st.integers(), st.booleans(), st.none(), st.lists(st.integers(), max_size=2))
FIELDS = st.dictionaries(st.text("ABCabcTokenPassword", min_size=1, max_size=8), VALUES, max_size=8)


@pytest.fixture
def bank() -> TBank:
    return TBank(
        TBankSettings(terminal_key="Terminal", password=SecretStr(PASSWORD), url="http://127.0.0.1:9/v2/"),
        BankEnvironment(environment="sandbox"),
    )


def notify(bank: TBank, raw: str, method: str = "POST") -> object:
    return bank.parse_notification(method, {}, raw.encode(), {}, "127.0.0.1")


@given(FIELDS)
def test_adapter_and_sandbox_agree_on_every_token(fields: dict[str, object]) -> None:
    assert token(fields, PASSWORD) == sign(fields, PASSWORD)


def test_token_covers_unknown_fields_and_omits_nested_ones() -> None:
    plain = {"Amount": 100, "Success": True}
    assert token({**plain, "DATA": {"a": 1}, "Receipt": [1], "Token": "x", "Empty": None}, PASSWORD) == token(
        plain, PASSWORD
    )
    assert token({**plain, "NewField": "x"}, PASSWORD) != token(plain, PASSWORD)


def test_numbers_are_signed_as_received(bank: TBank) -> None:
    signed = token({"TerminalKey": "Terminal", "Amount": "100.10", "PaymentId": "7", "Status": "NEW"}, PASSWORD)
    notification = bank.parse_notification(
        "POST",
        {},
        f'{{"TerminalKey":"Terminal","Amount":100.10,"PaymentId":7,"Status":"NEW","Token":"{signed}"}}'.encode(),
        {},
        "",
    )
    assert (notification.bank_payment_id, notification.amount_minor) == ("7", None)


@pytest.mark.parametrize(
    "raw",
    ["", "[]", "null", "{", "OK", '{"Token": 5}', '{"Token": null}', '{"a": 1}', "[" * 100_000, '{"Token":"Ω"}'],
    ids=range(10),
)
def test_malformed_notification_is_a_bad_signature(bank: TBank, raw: str) -> None:
    with pytest.raises(BadSignature):
        notify(bank, raw)


def test_changed_notification_is_a_bad_signature(bank: TBank) -> None:
    fields = {"TerminalKey": "Terminal", "OrderId": "1", "Amount": 100, "PaymentId": 7, "Status": "CONFIRMED"}
    good = json.dumps({**fields, "Token": token(fields, PASSWORD)})
    assert notify(bank, good)
    for changed in (good.replace("100", "101"), good.replace("CONFIRMED", "REFUNDED"), good.replace('"1"', '"2"')):
        with pytest.raises(BadSignature):
            notify(bank, changed)
    with pytest.raises(BadSignature):
        notify(bank, good, method="GET")


def test_only_charged_payments_are_confirmed() -> None:
    meant = {status: {name for name, found in STATUSES.items() if found is status} for status in PaymentStatus}
    assert meant[PaymentStatus.CONFIRMED] == {"CONFIRMED", "REFUNDING"}
    assert "AUTHORIZED" in meant[PaymentStatus.HELD]
    assert {"REJECTED", "CANCELED", "REVERSED"} <= meant[PaymentStatus.FAILED]
    assert meant[PaymentStatus.EXPIRED] == {"DEADLINE_EXPIRED"}
    assert "AUTH_FAIL" in meant[PaymentStatus.OPEN]


def test_unknown_status_is_noted(bank: TBank) -> None:
    fields = {"TerminalKey": "Terminal", "Status": "RECEIPT", "PaymentId": 7}
    notification = bank.parse_notification(
        "POST", {}, json.dumps({**fields, "Token": token(fields, PASSWORD)}).encode(), {}, ""
    )
    assert notification.status is PaymentStatus.OTHER


@pytest.mark.parametrize("other", [{"OrderId": "order-2"}, {"Amount": 49_999}, {"OrderId": None}, {"Amount": None}])
def test_init_response_for_another_order_is_not_used(
    bank: TBank, monkeypatch: pytest.MonkeyPatch, other: dict[str, object]
) -> None:
    now = datetime.now(UTC)
    order = PaymentOrder(uuid4(), "order-1", Money(50_000, "RUB"), "", now, now + timedelta(hours=1))
    response = {
        "Success": True,
        "ErrorCode": "0",
        "PaymentId": "7",
        "PaymentURL": "https://bank.example/pay",
        "OrderId": "order-1",
        "Amount": 50_000,
    }
    answers = [BankAnswer(200, json.dumps(fields).encode()) for fields in (response, {**response, **other})]
    monkeypatch.setattr(bank._http, "request", lambda *_args, **_options: answers.pop(0))
    assert bank.create_payment(order, "https://r/", "https://c/") == BankPayment("7", "https://bank.example/pay")
    with pytest.raises(BankUnavailable):
        bank.create_payment(order, "https://r/", "https://c/")
