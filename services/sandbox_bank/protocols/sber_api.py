"""The RBS gateway's API: forms or JSON in, JSON out, always HTTP 200."""

import hmac
import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

from flask import Blueprint, Response, request

from common.http.server.endpoint import unauthenticated
from services.sandbox_bank import service
from services.sandbox_bank.context import Context
from services.sandbox_bank.errors import AmountTooLarge, OrderTaken, PaymentUnknown, WrongState
from services.sandbox_bank.models import Payment, State
from services.sandbox_bank.protocols.sber import NAME
from services.sandbox_bank.repository import NewPayment

api = Blueprint("sber", __name__, url_prefix="/payment/rest")

DEFAULT_LIFETIME_SECONDS: Final = 1200
MAX_LIFETIME_SECONDS: Final = 86_400
MAX_AMOUNT: Final = 10**12
CURRENCIES: Final = {"643": "RUB", "810": "RUB"}

ORDER_STATUS: Final[Mapping[State, tuple[int, str]]] = {
    State.NEW: (0, "CREATED"),
    State.AUTHORIZED: (1, "APPROVED"),
    State.CONFIRMED: (2, "DEPOSITED"),
    State.REVERSED: (3, "REVERSED"),
    State.PARTIAL_REFUNDED: (4, "REFUNDED"),
    State.REFUNDED: (4, "REFUNDED"),
    State.REJECTED: (6, "DECLINED"),
    State.CANCELED: (6, "DECLINED"),
    State.DEADLINE_EXPIRED: (6, "DECLINED"),
}

#: Insufficient funds, cancelled by the payer, no card entered in time.
ACTION_CODES: Final = {State.REJECTED: 116, State.CANCELED: -2000, State.DEADLINE_EXPIRED: -2007}

Fields = Mapping[str, str]


class SberFailure(Exception):
    """A response with an ``errorCode`` other than zero."""

    def __init__(self, code: str, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(f"{code} {message}")


@api.post("/<method>.do")
@unauthenticated
def call(context: Context, method: str) -> Response:
    """Dispatch a call after authenticating the merchant."""
    try:
        fields = _fields()
        _authenticate(context, fields)
        act = METHODS.get(method)
        if act is None:
            raise SberFailure("7", "Неизвестный метод")  # noqa: TRY301
        answer = service.with_faults(context, NAME, fields.get("orderNumber"), lambda: act(context, fields))
    except SberFailure as failure:
        answer = {"errorCode": failure.code, "errorMessage": failure.message}
    return Response(json.dumps(answer, ensure_ascii=False), content_type="application/json")


def _fields() -> dict[str, str]:
    if request.mimetype != "application/json":
        return request.form.to_dict()
    found = request.get_json(silent=True)
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def _authenticate(context: Context, fields: Fields) -> None:
    settings = context.settings
    given = (fields.get("userName", ""), fields.get("password", ""))
    wanted = (settings.sber_user_name, settings.sber_password.get_secret_value())
    same = [hmac.compare_digest(a.encode(), b.encode()) for a, b in zip(given, wanted, strict=True)]
    if not all(wanted) or not all(same):
        raise SberFailure("5", "Доступ запрещён")


def _register(context: Context, fields: Fields) -> dict[str, Any]:
    order_id = fields.get("orderNumber", "")
    if not 0 < len(order_id) <= 32:
        raise SberFailure("4", "Номер заказа не может быть пуст или длиннее 32 символов")
    currency = CURRENCIES.get(fields.get("currency", "643"))
    if currency is None:
        raise SberFailure("3", "Неизвестная валюта")
    return_url = fields.get("returnUrl", "")
    if not return_url.startswith(("http://", "https://")):
        raise SberFailure("4", "URL возврата не может быть пуст")
    seconds = _number(fields, "sessionTimeoutSecs", MAX_LIFETIME_SECONDS, default=DEFAULT_LIFETIME_SECONDS)
    new = NewPayment(
        protocol=NAME,
        order_id=order_id,
        amount_minor=_number(fields, "amount", MAX_AMOUNT),
        currency=currency,
        description=fields.get("description", "")[:512],
        notify_url=fields.get("dynamicCallbackUrl") or None,
        success_url=return_url,
        fail_url=fields.get("failUrl") or return_url,
        expires_at=context.clock.now() + timedelta(seconds=seconds),
        public_id=str(uuid4()),
    )
    try:
        payment = service.create_payment(context, new)
    except OrderTaken:
        raise SberFailure("1", "Заказ с таким номером уже обработан") from None
    return {"orderId": payment.public_id, "formUrl": context.page_url(payment.page_key)}


def _status(context: Context, fields: Fields) -> dict[str, Any]:
    payment = _payment(context, fields)
    status, state = ORDER_STATUS[payment.state]
    taken = payment.amount_minor if status in (2, 4) else 0
    return {
        "errorCode": "0",
        "errorMessage": "Успешно",
        "orderNumber": payment.order_id,
        "orderStatus": status,
        "actionCode": ACTION_CODES.get(payment.state, 0),
        "actionCodeDescription": "",
        "amount": payment.amount_minor,
        "currency": "643",
        "date": int(payment.created_at.timestamp() * 1000),
        "orderDescription": payment.description,
        "merchantOrderParams": [],
        "attributes": [{"name": "mdOrder", "value": payment.public_id}],
        "paymentAmountInfo": {
            "paymentState": state,
            "approvedAmount": taken,
            "depositedAmount": taken,
            "refundedAmount": payment.refunded_minor,
        },
    }


def _refund(context: Context, fields: Fields) -> dict[str, Any]:
    try:
        service.refund(
            context,
            NAME,
            fields.get("orderId", ""),
            amount_minor=_number(fields, "amount", MAX_AMOUNT),
            request_key=None,
        )
    except PaymentUnknown:
        raise SberFailure("6", "Неверный номер заказа") from None
    except WrongState:
        raise SberFailure("7", "Платёж должен быть в корректном состоянии") from None
    except AmountTooLarge:
        raise SberFailure("5", "Сумма возврата превышает сумму списания") from None
    return {"errorCode": "0", "errorMessage": "Успешно"}


def _reverse(context: Context, fields: Fields) -> dict[str, Any]:
    payment = _payment(context, fields)
    if payment.state is not State.AUTHORIZED:
        raise SberFailure("7", "Платёж должен быть в корректном состоянии")
    service.cancel_or_refund(context, NAME, payment.public_id, amount_minor=None, request_key=None)
    return {"errorCode": "0", "errorMessage": "Успешно"}


METHODS: Final[Mapping[str, Callable[[Context, Fields], dict[str, Any]]]] = {
    "register": _register,
    "getOrderStatusExtended": _status,
    "refund": _refund,
    "reverse": _reverse,
}


def _payment(context: Context, fields: Fields) -> Payment:
    try:
        if fields.get("orderId"):
            return service.find_payment(context, NAME, fields["orderId"])
        return service.find_order(context, NAME, fields.get("orderNumber", ""))
    except PaymentUnknown:
        raise SberFailure("6", "Неверный номер заказа") from None


def _number(fields: Fields, name: str, at_most: int, *, default: int | None = None) -> int:
    text = fields.get(name, "" if default is None else str(default))
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:20]) <= at_most:
        raise SberFailure("5", f"Неверное значение параметра [{name}]")
    return int(text)
