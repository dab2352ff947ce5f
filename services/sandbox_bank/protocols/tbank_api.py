"""T-Bank's API v2: JSON in, JSON out, always HTTP 200, failures in the body.

The error numbers marked [?] are not verified against a publication; clients must not depend on them.
"""

import hmac
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from flask import Blueprint, Response, request

from common.http.server.endpoint import unauthenticated
from services.sandbox_bank import service
from services.sandbox_bank.context import Context
from services.sandbox_bank.errors import AmountTooLarge, OrderTaken, PaymentUnknown, WrongState
from services.sandbox_bank.models import Payment, State
from services.sandbox_bank.protocols.tbank import NAME, sign
from services.sandbox_bank.repository import NewPayment

api = Blueprint("tbank", __name__, url_prefix="/v2")

DEFAULT_LIFETIME: Final = timedelta(hours=24)
MAX_LIFETIME: Final = timedelta(days=90)
MAX_AMOUNT: Final = 10**12
_URL: Final = re.compile(r"^https?://[^\s]{1,2000}$")

Fields = Mapping[str, Any]


class TBankFailure(Exception):
    """A response with ``Success: false``."""

    def __init__(self, code: str, message: str, details: str = "") -> None:
        self.code, self.message, self.details = code, message, details
        super().__init__(f"{code} {message}")


@api.post("/<method>")
@unauthenticated
def call(context: Context, method: str) -> Response:
    """Dispatch a call after checking the terminal and the token."""
    fields = _fields()
    try:
        _authenticate(context, fields)
        act = METHODS.get(method)
        if act is None:
            raise TBankFailure("9999", "Неизвестный метод")  # noqa: TRY301
        order_id = str(fields["OrderId"]) if fields.get("OrderId") else None
        answer = service.with_faults(context, NAME, order_id, lambda: act(context, fields))
    except TBankFailure as failure:
        answer = {
            "Success": False,
            "ErrorCode": failure.code,
            "Message": failure.message,
            "Details": failure.details,
            **({"TerminalKey": fields["TerminalKey"]} if isinstance(fields.get("TerminalKey"), str) else {}),
        }
    return Response(json.dumps(answer, ensure_ascii=False), content_type="application/json")


def _fields() -> dict[str, Any]:
    try:
        found = json.loads(request.get_data(cache=False))
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}


def _authenticate(context: Context, fields: Fields) -> None:
    settings = context.settings
    if fields.get("TerminalKey") != settings.tbank_terminal_key:
        raise TBankFailure("501", "Терминал не найден")
    given = fields.get("Token")
    wanted = sign(fields, settings.tbank_password.get_secret_value())
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), wanted.encode()):
        raise TBankFailure("204", "Неверный токен. Проверьте пару TerminalKey/SecretKey")


def _init(context: Context, fields: Fields) -> dict[str, Any]:
    now = context.clock.now()
    new = NewPayment(
        protocol=NAME,
        order_id=_text(fields, "OrderId", at_most=50),
        amount_minor=_amount(fields, "Amount"),
        currency="RUB",
        description=_text(fields, "Description", at_most=140, required=False) or "",
        notify_url=_url(fields, "NotificationURL"),
        success_url=_url(fields, "SuccessURL") or context.settings.sandbox_bank_url,
        fail_url=_url(fields, "FailURL") or context.settings.sandbox_bank_url,
        expires_at=_due_date(fields, now),
    )
    if fields.get("PayType", "O") != "O":
        raise TBankFailure("9999", "Песочница принимает только одностадийные платежи")
    try:
        payment = service.create_payment(context, new)
    except OrderTaken:
        raise TBankFailure("8", "Заказ с таким OrderId уже существует") from None  # [?]
    return {**_state(context, payment), "PaymentURL": context.page_url(payment.page_key)}


def _get_state(context: Context, fields: Fields) -> dict[str, Any]:
    return _state(context, _payment(context, fields))


def _check_order(context: Context, fields: Fields) -> dict[str, Any]:
    order_id = _text(fields, "OrderId", at_most=50)
    try:
        payment = service.find_order(context, NAME, str(order_id))
    except PaymentUnknown:
        raise TBankFailure("335", "Заказ не найден") from None  # [?]
    state = _state(context, payment)
    listed = {key: state[key] for key in ("PaymentId", "Amount", "Status", "Success", "ErrorCode")}
    return {
        "TerminalKey": context.settings.tbank_terminal_key,
        "OrderId": order_id,
        "Success": True,
        "ErrorCode": "0",
        "Message": "OK",
        "Payments": [listed],
    }


def _cancel(context: Context, fields: Fields) -> dict[str, Any]:
    payment_id = _text(fields, "PaymentId", at_most=20)
    amount = _amount(fields, "Amount") if fields.get("Amount") is not None else None
    key = _text(fields, "ExternalRequestId", at_most=256, required=False)
    try:
        before, after = service.cancel_or_refund(context, NAME, str(payment_id), amount_minor=amount, request_key=key)
    except PaymentUnknown:
        raise TBankFailure("255", "Платёж не найден") from None  # [?]
    except WrongState:
        raise TBankFailure("4", "Неверный статус транзакции") from None  # [?]
    except AmountTooLarge:
        raise TBankFailure("6", "Сумма возврата больше остатка") from None  # [?]
    return {
        **_state(context, after),
        "OriginalAmount": before.amount_minor - before.refunded_minor,
        "NewAmount": 0 if after.state is State.CANCELED else after.amount_minor - after.refunded_minor,
        **({"ExternalRequestId": key} if key else {}),
    }


METHODS: Final[Mapping[str, Callable[[Context, Fields], dict[str, Any]]]] = {
    "Init": _init,
    "GetState": _get_state,
    "CheckOrder": _check_order,
    "Cancel": _cancel,
}


def _payment(context: Context, fields: Fields) -> Payment:
    try:
        return service.find_payment(context, NAME, str(_text(fields, "PaymentId", at_most=20)))
    except PaymentUnknown:
        raise TBankFailure("255", "Платёж не найден") from None  # [?]


def _state(context: Context, payment: Payment) -> dict[str, Any]:
    return {
        "Success": True,
        "ErrorCode": "0",
        "Message": "OK",
        "TerminalKey": context.settings.tbank_terminal_key,
        "Status": payment.state.value,
        "PaymentId": payment.public_id,
        "OrderId": payment.order_id,
        "Amount": payment.amount_minor,
    }


def _text(fields: Fields, name: str, *, at_most: int, required: bool = True) -> str | None:
    value = fields.get(name)
    if value is None and not required:
        return None
    if not isinstance(value, str | int) or isinstance(value, bool) or not 0 < len(str(value)) <= at_most:
        raise TBankFailure("201", "Поле обязательно или неверно", name)
    return str(value)


def _amount(fields: Fields, name: str) -> int:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= MAX_AMOUNT:
        raise TBankFailure("201", "Сумма указывается в копейках целым числом", name)
    return value


def _url(fields: Fields, name: str) -> str | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not _URL.match(value):
        raise TBankFailure("201", "Адрес указан неверно", name)
    return value


def _due_date(fields: Fields, now: datetime) -> datetime:
    given = fields.get("RedirectDueDate")
    if given is None:
        return now + DEFAULT_LIFETIME
    try:
        due = datetime.fromisoformat(str(given))
    except ValueError:
        raise TBankFailure("201", "Срок указан неверно", "RedirectDueDate") from None
    if due.tzinfo is None or not now < due.astimezone(UTC) <= now + MAX_LIFETIME:
        raise TBankFailure("201", "Срок указан неверно", "RedirectDueDate")
    return due
