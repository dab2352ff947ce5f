"""Callbacks without a signature, which anyone can send, must not occupy the bank calls of real top-ups."""

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from pydantic import SecretStr

from common.core.money import Money
from services.payments.banks.base import Bank, BankEnvironment, BankError, BankUnavailable, PaymentOrder
from services.payments.banks.sber import Sber, SberSettings
from services.payments.banks.yookassa import YooKassa, YooKassaSettings
from tests.integration.payments.servers import serving
from tests.support.eventually import eventually

#: More than all connections to the bank together.
FORGED: Final = 40
CALLBACK_CALLS: Final = 4
ENVIRONMENT: Final = {"environment": "sandbox", "bank_timeout_seconds": 30.0}
CREATED: Final = {
    "sber": {"orderId": "p1", "formUrl": "https://bank.example/p1"},
    "yookassa": {"id": "p1", "confirmation": {"confirmation_url": "https://bank.example/p1"}},
}


class SlowStatusBank:
    """A bank that creates payments at once and holds each status request until ``release`` is set."""

    def __init__(self, name: str) -> None:
        self.release = threading.Event()
        self.status = "200 OK"
        self.waiting = 0
        self._created = json.dumps(CREATED[name]).encode()
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        creates = environ["PATH_INFO"].endswith("register.do") or environ["REQUEST_METHOD"] == "POST"
        if environ["PATH_INFO"].endswith("getOrderStatusExtended.do") or not creates:
            with self._lock:
                self.waiting += 1
            self.release.wait(30)
            body, status = b'{"errorCode": "6"}', self.status
        else:
            body, status = self._created, "200 OK"
        start_response(status, [("Content-Length", str(len(body)))])
        return [body]


def sber(url: str, environment: BankEnvironment) -> Bank:
    return Sber(SberSettings(user_name="shop", password=SecretStr("x"), url=f"{url}/"), environment)


def yookassa(url: str, environment: BankEnvironment) -> Bank:
    settings = YooKassaSettings(shop_id="1", secret_key=SecretStr("x"), url=f"{url}/", more_networks=("127.0.0.0/8",))
    return YooKassa(settings, environment)


def forge(bank: Bank, number: int) -> None:
    """Receive a callback that names an invented payment."""
    if bank.name == "sber":
        form = f"mdOrder=x{number}&orderNumber=y{number}&operation=deposited&status=1"
        bank.parse_notification("POST", {}, form.encode(), {}, "127.0.0.1")
    body = {"type": "notification", "event": "payment.succeeded", "object": {"id": f"x{number}"}}
    bank.parse_notification("POST", {}, json.dumps(body).encode(), {}, "127.0.0.1")


def order() -> PaymentOrder:
    now = datetime.now(UTC)
    return PaymentOrder(uuid4(), uuid4().hex, Money(10_000, "RUB"), "Top-up", now, now + timedelta(hours=1))


@contextmanager
def attacked(
    make: Callable[[str, BankEnvironment], Bank], name: str
) -> Iterator[tuple[Bank, SlowStatusBank, Sequence[Future[None]]]]:
    """Send forged callbacks until every call that they may cause hangs at the bank."""
    server = SlowStatusBank(name)
    with serving(lambda _url: server) as url, ThreadPoolExecutor(FORGED) as threads:
        bank = make(url, BankEnvironment.model_validate(ENVIRONMENT))
        try:
            callbacks = [threads.submit(forge, bank, number) for number in range(FORGED)]
            # What is over its budget has failed; the rest is at the bank.
            eventually(lambda: server.waiting + sum(one.done() for one in callbacks) >= FORGED)
            yield bank, server, callbacks
        finally:
            server.release.set()


MAKERS = [pytest.param(sber, "sber", id="sber"), pytest.param(yookassa, "yookassa", id="yookassa")]


@pytest.mark.parametrize(("make", "name"), MAKERS)
def test_forged_callbacks_leave_the_bank_to_top_ups(make: Callable[[str, BankEnvironment], Bank], name: str) -> None:
    with attacked(make, name) as (bank, server, callbacks):
        assert server.waiting == CALLBACK_CALLS
        for _ in range(3):
            assert bank.create_payment(order(), "https://shop.example", "https://shop.example").bank_payment_id == "p1"
        rejected = [one for one in callbacks if one.done()]
        assert len(rejected) == FORGED - CALLBACK_CALLS
        for one in rejected:
            assert isinstance(one.exception(), BankUnavailable)


@pytest.mark.parametrize(("make", "name"), MAKERS)
def test_failures_of_forged_callbacks_do_not_open_the_breaker_of_top_ups(
    make: Callable[[str, BankEnvironment], Bank], name: str
) -> None:
    server = SlowStatusBank(name)
    server.release.set()
    server.status = "500 Internal Server Error"
    with serving(lambda _url: server) as url:
        environment = BankEnvironment.model_validate(ENVIRONMENT)
        bank = make(url, environment)
        for number in range(environment.bank_breaker_failures * 2):
            with pytest.raises(BankError):
                forge(bank, number)
        assert bank.create_payment(order(), "https://shop.example", "https://shop.example").bank_payment_id == "p1"
