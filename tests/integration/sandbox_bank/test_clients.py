"""Published client libraries of the banks work unchanged with the sandbox bank."""

import json
import uuid
from collections.abc import Callable, Iterator

import pytest
import requests
from gocream_pysberbank import SberbankClient
from gocream_pysberbank.errors import SberbankApiException
from tbank.acquiring.models import InitRequest
from tbank.acquiring.sync import AcquiringClient
from tbank.acquiring.webhooks import parse_notification, verify_notification
from tbank.core.errors import TBankAPIError
from yookassa import Configuration, Payment, Refund
from yookassa.domain.exceptions import BadRequestError, NotFoundError, UnauthorizedError
from yookassa.domain.notification import WebhookNotificationFactory

from tests.integration.payments.servers import (
    PASSWORD,
    PAYING_CARD,
    SBER_PASSWORD,
    SBER_USER,
    SHOP_ID,
    SHOP_KEY,
    TERMINAL,
    TIMEOUT,
)
from tests.integration.sandbox_bank.conftest import Merchant, RunningBank
from tests.support.eventually import eventually


def pay(url: str) -> None:
    form = {"card_number": PAYING_CARD, "expiry": "12/30", "cvc": "123"}
    assert requests.post(url, data=form, allow_redirects=False, timeout=TIMEOUT).status_code == 303


@pytest.fixture
def _official_yookassa(bank: RunningBank) -> Iterator[None]:
    Configuration.configure(SHOP_ID, SHOP_KEY, api_url=f"{bank.url}/v3")
    yield
    Configuration.configure(None, None)


PAYMENT = {
    "amount": {"value": "1000.00", "currency": "RUB"},
    "capture": True,
    "confirmation": {"type": "redirect", "return_url": "https://shop.example/back"},
    "description": "A top-up",
    "metadata": {"order_id": "37"},
}


@pytest.mark.usefixtures("_official_yookassa")
def test_official_yookassa_sdk_creates_fetches_and_refunds(merchant: Merchant) -> None:
    key = str(uuid.uuid4())
    made = Payment.create(PAYMENT, key)
    assert (made.status, made.amount.value, made.metadata["order_id"]) == ("pending", 1000, "37")
    assert Payment.create(PAYMENT, key).id == made.id, "the same key is the same payment"
    pay(made.confirmation.confirmation_url)
    paid = Payment.find_one(made.id)
    assert (paid.status, paid.paid, paid.refundable) == ("succeeded", True, True)

    refund = Refund.create({"payment_id": made.id, "amount": {"value": "400.00", "currency": "RUB"}}, "r-1")
    assert (refund.status, refund.payment_id, refund.amount.value) == ("succeeded", made.id, 400)
    assert (
        Refund.create({"payment_id": made.id, "amount": {"value": "400.00", "currency": "RUB"}}, "r-1").id == refund.id
    )
    assert Refund.find_one(refund.id).amount.value == 400
    assert Payment.find_one(made.id).refunded_amount.value == 400
    assert [item.id for item in Payment.list({"limit": 10}).items] == [made.id]

    eventually(lambda: len(merchant.received) == 2)
    notices = [WebhookNotificationFactory().create(json.loads(body)) for *_, body in merchant.received]
    assert [notice.event for notice in notices] == ["payment.succeeded", "refund.succeeded"]
    assert notices[0].object.id == made.id


@pytest.mark.usefixtures("_official_yookassa")
def test_official_yookassa_sdk_reports_rejections(bank: RunningBank) -> None:
    with pytest.raises(NotFoundError):
        Payment.find_one(str(uuid.uuid4()))
    Payment.create(PAYMENT, "k")
    with pytest.raises(BadRequestError):
        Payment.create({**PAYMENT, "amount": {"value": "1.00", "currency": "RUB"}}, "k")
    made = Payment.create(PAYMENT, "k2")
    with pytest.raises(BadRequestError):
        Refund.create({"payment_id": made.id, "amount": {"value": "1.00", "currency": "RUB"}}, "r")
    Configuration.configure(SHOP_ID, "wrong", api_url=f"{bank.url}/v3")
    with pytest.raises(UnauthorizedError):
        Payment.find_one(made.id)


def test_tbank_sdk_creates_polls_and_refunds(bank: RunningBank, merchant: Merchant) -> None:
    client = AcquiringClient(TERMINAL, PASSWORD, base_url=f"{bank.url}/v2")
    made = client.init(InitRequest(amount=50_000, order_id="37", description="A top-up", notification_url=merchant.url))
    assert (made.status, made.amount, made.order_id) == ("NEW", 50_000, "37")
    assert made.payment_id is not None
    assert made.payment_url is not None
    pay(made.payment_url)
    assert client.get_state(made.payment_id).status == "CONFIRMED"
    order = client.check_order("37")
    assert [(payment.payment_id, payment.status, payment.amount) for payment in order.payments] == [
        (made.payment_id, "CONFIRMED", 50_000)
    ]
    eventually(lambda: len(merchant.received) == 2)
    for _, _, body in merchant.received:
        fields = json.loads(body)
        assert verify_notification(fields, PASSWORD)
        assert parse_notification(fields).amount == 50_000
    part = client.cancel(made.payment_id, 20_000)
    assert (part.status, part.original_amount, part.new_amount) == ("PARTIAL_REFUNDED", 50_000, 30_000)
    rest = client.cancel(made.payment_id)
    assert (rest.status, rest.original_amount, rest.new_amount) == ("REFUNDED", 30_000, 0)
    refusals: tuple[Callable[[], object], ...] = (
        lambda: client.cancel(made.payment_id or ""),
        lambda: client.get_state("1"),
        lambda: client.check_order("unknown"),
        lambda: client.init(InitRequest(amount=1, order_id="37")),
        lambda: AcquiringClient(TERMINAL, "wrong", base_url=f"{bank.url}/v2").get_state("1"),
    )
    for refused in refusals:
        with pytest.raises(TBankAPIError):
            refused()


def test_sber_sdk_registers_polls_and_refunds(bank: RunningBank) -> None:
    url = f"{bank.url}/payment/{{api_type}}/{{method}}"
    client = SberbankClient(SBER_USER, SBER_PASSWORD, url=url)
    made = client.register("37", 50_000, "https://shop.example/back", description="A top-up", sessionTimeoutSecs=600)
    pay(made["formUrl"])
    status = client.order_status_extended(orderNumber="37")
    assert (status["orderStatus"], status["amount"], status["currency"]) == (2, 50_000, "643")
    client.refund(made["orderId"], 20_000)
    status = client.order_status_extended(orderId=made["orderId"])
    assert (status["orderStatus"], status["paymentAmountInfo"]["refundedAmount"]) == (4, 20_000)
    refusals: tuple[Callable[[], object], ...] = (
        lambda: client.register("37", 1, "https://shop.example/back"),
        lambda: client.order_status_extended(orderNumber="38"),
        lambda: client.refund(made["orderId"], 30_001),
        lambda: client.reverse(made["orderId"]),
        lambda: SberbankClient(SBER_USER, "wrong", url=url).order_status_extended(orderNumber="37"),
    )
    for refused in refusals:
        with pytest.raises(SberbankApiException):
            refused()
