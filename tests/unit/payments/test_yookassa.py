"""YooKassa's protocol: which responses decide about a payment, and which do not."""

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from pydantic import SecretStr

from common.core.money import Money
from services.payments.banks.base import BankEnvironment, BankRefused, BankUnavailable, PaymentOrder
from services.payments.banks.http import BankAnswer
from services.payments.banks.yookassa import YooKassa, YooKassaSettings

NOW = datetime.now(UTC)
ORDER = PaymentOrder(uuid4(), "order-1", Money(50_000, "RUB"), "", NOW, NOW + timedelta(hours=1), "payment-1")


def bank_that_responds(monkeypatch: pytest.MonkeyPatch, status: int) -> YooKassa:
    """Return an adapter whose every call gets this HTTP status with an error body."""
    settings = YooKassaSettings(shop_id="100500", secret_key=SecretStr("secret"), url="http://127.0.0.1:9/v3/")
    bank = YooKassa(settings, BankEnvironment(environment="sandbox"))
    body = json.dumps({"code": "some_code", "description": "some description"}).encode()
    monkeypatch.setattr(bank._http, "request", lambda *_args, **_options: BankAnswer(status, body))
    return bank


@pytest.mark.parametrize("status", [202, 401, 403, 429])
def test_response_that_says_nothing_about_the_payment_leaves_it_undecided(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """A rate limit or a wrong key must neither fail a top-up nor return a refund."""
    bank = bank_that_responds(monkeypatch, status)
    with pytest.raises(BankUnavailable):
        bank.create_payment(ORDER, "https://r/", "https://c/")
    with pytest.raises(BankUnavailable):
        bank.refund(ORDER, 50_000, "key")


def test_bad_request_is_a_final_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    bank = bank_that_responds(monkeypatch, 400)
    with pytest.raises(BankRefused):
        bank.create_payment(ORDER, "https://r/", "https://c/")
    with pytest.raises(BankRefused):
        bank.refund(ORDER, 50_000, "key")
