"""Sber and the other banks that run the same gateway (RBS protocol: ``register.do`` and others).

Calls are forms, or JSON at the newer hosts. Callbacks use GET or POST and have a checksum: symmetric (HMAC) or
asymmetric (RSA). If a callback names no amount, the bank is polled for it before a credit.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Final
from urllib.parse import parse_qsl, urlencode

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.payments.banks.base import (
    Acknowledgement,
    BadSignature,
    Bank,
    BankEnvironment,
    BankPayment,
    BankRefused,
    BankSettings,
    BankUnavailable,
    Notification,
    PaymentNotFound,
    PaymentOrder,
    PaymentStatus,
    RefundOutcome,
)
from services.payments.banks.http import BankHttp

NAME: Final = "sber"

#: ISO 4217 numbers. Some installations still use 810, the former number of the rouble.
CURRENCIES: Final[Mapping[str, str]] = {"643": "RUB", "810": "RUB", "840": "USD", "978": "EUR", "156": "CNY"}
NUMBER_OF: Final[Mapping[str, str]] = {"RUB": "643", "USD": "840", "EUR": "978", "CNY": "156"}

STATUSES: Final[Mapping[str, PaymentStatus]] = {
    "0": PaymentStatus.OPEN,
    "1": PaymentStatus.HELD,
    "2": PaymentStatus.CONFIRMED,
    "3": PaymentStatus.FAILED,
    "4": PaymentStatus.REFUNDED,
    "5": PaymentStatus.OPEN,
    "6": PaymentStatus.FAILED,
}

#: Fields that the checksum does not cover.
UNSIGNED: Final = frozenset({"checksum", "sign_alias"})

ORDER_UNKNOWN: Final = "6"
#: The ``actionCode`` of an order whose session expired before a payment.
SESSION_EXPIRED: Final = "-2007"
SYSTEM_ERROR: Final = "7"
MAX_FIELDS: Final = 64


class AmbiguousFields(BadSignature, ValueError):
    """A name or value contains the separator, so that different fields have the same checksum."""


class SberSettings(BankSettings):
    """``FASTCHECK_SBER_*``: user and password, or a token; and the secret or key that signs callbacks.

    Without a secret and without a key, a callback only triggers a status request to the bank.
    """

    model_config = SettingsConfigDict(env_prefix="FASTCHECK_SBER_")
    REQUIRED: ClassVar[tuple[tuple[str, ...], ...]] = (("user_name", "token"), ("password", "token"))

    user_name: str = ""
    """User of the Sber API. Required with a password unless a token is set."""
    password: SecretStr = SecretStr("")
    """Password of the Sber API."""
    token: SecretStr = SecretStr("")
    """Token of the Sber API, instead of user and password."""
    url: str = Field(default="https://securepayments.sberbank.ru/payment/rest/", pattern=r"^https?://")
    """URL of the Sber API."""
    json_requests: bool = False
    """Whether requests are sent as JSON, which the newer hosts accept."""
    callback_secret: SecretStr = SecretStr("")
    """Secret of symmetric callback checksums. Without a secret or a key, a callback only triggers a poll."""
    callback_public_key: str = ""
    """Public key (PEM) of asymmetric callback checksums."""


def checksum(fields: Mapping[str, str], secret: str) -> str:
    """Return the symmetric checksum of a callback, 64 upper-case hex digits; raise AmbiguousFields."""
    return hmac.new(secret.encode(), _signed_text(fields).encode(), hashlib.sha256).hexdigest().upper()


def verify_rsa(fields: Mapping[str, str], checksum: str, public_key_pem: bytes) -> bool:
    """Verify an asymmetric checksum (RSA, PKCS#1 v1.5, SHA-512, hex); raise ValueError if the key is not RSA."""
    try:
        key = load_pem_public_key(public_key_pem)
    except UnsupportedAlgorithm as error:
        raise ValueError("the key is not an RSA public key") from error
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("the key is not an RSA public key")  # noqa: TRY004  the value is wrong, not its type
    try:
        key.verify(bytes.fromhex(checksum), _signed_text(fields).encode(), padding.PKCS1v15(), SHA512())
    except (InvalidSignature, ValueError):
        return False
    return True


def _signed_text(fields: Mapping[str, str]) -> str:
    signed = {name: value for name, value in fields.items() if name not in UNSIGNED}
    if any(";" in name or ";" in value for name, value in signed.items()):
        raise AmbiguousFields("a field contains a semicolon")
    return "".join(f"{name};{signed[name]};" for name in sorted(signed))


def open_bank(environment: BankEnvironment) -> Bank:
    """Create the adapter with settings from the environment."""
    return Sber(SberSettings.load(environment), environment)


class Sber:
    """The adapter of a bank of this family."""

    name = NAME
    statuses = STATUSES
    # A repeated order number is an error, and the URL of the page is returned only once.
    creation_is_repeatable = False

    def __init__(self, settings: SberSettings, environment: BankEnvironment) -> None:
        token = settings.token.get_secret_value()
        self._credentials = (
            {"token": token}
            if token
            else {"userName": settings.user_name, "password": settings.password.get_secret_value()}
        )
        self.terminal = settings.user_name
        self._json = settings.json_requests
        self._secret = settings.callback_secret.get_secret_value()
        self._public_key = settings.callback_public_key.encode()
        if self._public_key:
            verify_rsa({}, "", self._public_key)  # an invalid key stops the process at its start
        self._http = BankHttp(NAME, settings.url, environment)
        signed = self._secret or self._public_key
        # Anyone can send an unsigned callback.
        self._callback_http = self._http if signed else BankHttp.for_callbacks(NAME, settings.url, environment)

    def create_payment(self, order: PaymentOrder, return_url: str, callback_url: str) -> BankPayment:
        currency = NUMBER_OF.get(order.money.currency)
        if currency is None:
            raise BankRefused("currency", f"{order.money.currency} is not supported")
        answer = self._call(
            "register.do",
            {
                "orderNumber": order.order_id,
                "amount": order.money.amount_minor,
                "currency": currency,
                "returnUrl": return_url,
                "failUrl": return_url,
                "dynamicCallbackUrl": callback_url,
                "description": order.description,
                "sessionTimeoutSecs": max(1, round((order.expires_at - order.created_at).total_seconds())),
            },
            self._http,
        )
        _refuse_failure(answer)
        payment_id, url = answer.get("orderId"), answer.get("formUrl")
        if not isinstance(payment_id, str) or not isinstance(url, str):
            raise BankUnavailable("sber registered an order without a page")
        return BankPayment(payment_id, url)

    def parse_notification(
        self,
        method: str,
        headers: Mapping[str, str],  # noqa: ARG002  the port's shape
        raw_body: bytes,
        query: Mapping[str, str],
        client_ip: str,  # noqa: ARG002
    ) -> Notification:
        fields = dict(query) if method == "GET" else _form(raw_body)
        self._verify(fields)
        payment_id, order_id = fields.get("mdOrder", ""), fields.get("orderNumber", "")
        if not payment_id or not order_id:
            raise BadSignature("the callback names no order")
        amount = fields.get("amount", "")
        signed = bool(self._secret or self._public_key)
        paid = (fields.get("operation"), fields.get("status")) == ("deposited", "1")
        if signed and paid and amount.isascii() and amount.isdigit():
            return Notification(
                payment_id,
                order_id,
                PaymentStatus.CONFIRMED,
                "deposited",
                int(amount),
                CURRENCIES.get(fields.get("currency", "643")),
            )
        try:
            notification = self._ask({"orderId": payment_id}, payment_id, self._callback_http)
        except PaymentNotFound:
            raise BadSignature("the bank has no order with the id of the callback") from None
        if notification.order_id != order_id:
            raise BadSignature("the callback names the order of another payment")
        return notification

    def fetch_status(self, order: PaymentOrder) -> Notification:
        if order.bank_payment_id is not None:
            return self._ask({"orderId": order.bank_payment_id}, order.bank_payment_id, self._http)
        return self._ask({"orderNumber": order.order_id}, None, self._http)

    def cancel_payment(self, bank_payment_id: str) -> None:
        raise BankRefused("unsupported", f"sber does not cancel the unpaid order {bank_payment_id}")

    def refund(self, order: PaymentOrder, amount_minor: int, key: str) -> RefundOutcome:  # noqa: ARG002
        # The protocol has no idempotency key: the refunded amount tells whether this refund was made.
        before = self._status({"orderId": order.bank_payment_id or ""}, self._http)
        if _refunded_minor(before) >= order.refunded_minor + amount_minor:
            return RefundOutcome.DONE
        _refuse_failure(self._call("refund.do", {"orderId": order.bank_payment_id, "amount": amount_minor}, self._http))
        return RefundOutcome.DONE

    def list_payments(self, since: datetime, until: datetime) -> None:
        """Return None: the common protocol has no list. Reconciliation uses a statement file."""

    def acknowledge(self) -> Acknowledgement:
        return Acknowledgement(200, "text/plain", b"")

    def _verify(self, fields: Mapping[str, str]) -> None:
        given = fields.get("checksum", "")
        if self._secret:
            expected = checksum(fields, self._secret)
            if not hmac.compare_digest(given.upper().encode(), expected.encode()):
                raise BadSignature("wrong checksum")
        elif self._public_key and not verify_rsa(fields, given, self._public_key):
            raise BadSignature("wrong signature")

    def _status(self, which: Mapping[str, object], http: BankHttp) -> dict[str, Any]:
        answer = self._call("getOrderStatusExtended.do", which, http, repeatable=True)
        if str(answer.get("errorCode") or "0") == ORDER_UNKNOWN:
            raise PaymentNotFound("sber has no such order")
        _refuse_failure(answer)
        return answer

    def _ask(self, which: Mapping[str, object], payment_id: str | None, http: BankHttp) -> Notification:
        try:
            answer = self._status(which, http)
        except BankRefused as error:
            raise BankUnavailable(f"sber did not report a status: {error}") from error
        bank_status = str(answer.get("orderStatus"))[:40]
        status = STATUSES.get(bank_status, PaymentStatus.OTHER)
        amount = answer.get("amount")
        amount_minor = amount if isinstance(amount, int) and not isinstance(amount, bool) else None
        if status is PaymentStatus.CONFIRMED:
            # The captured amount, which can be less than the ordered one.
            amount_minor = _part(answer, "depositedAmount", default=amount_minor)
        if status is PaymentStatus.FAILED and str(answer.get("actionCode")) == SESSION_EXPIRED:
            status, bank_status = PaymentStatus.EXPIRED, f"{bank_status}, not paid in time"
        if status is PaymentStatus.REFUNDED and amount_minor is not None and _refunded_minor(answer) < amount_minor:
            status, bank_status = PaymentStatus.PARTLY_REFUNDED, f"{bank_status}, partly"
        return Notification(
            bank_payment_id=payment_id or _md_order(answer),
            order_id=str(answer["orderNumber"]) if answer.get("orderNumber") else None,
            status=status,
            bank_status=bank_status,
            amount_minor=amount_minor,
            currency=CURRENCIES.get(str(answer.get("currency"))),
        )

    def _call(
        self, method: str, fields: Mapping[str, object], http: BankHttp, *, repeatable: bool = False
    ) -> dict[str, Any]:
        request = {**self._credentials, **fields}
        if self._json:
            body, kind = json.dumps(request, ensure_ascii=False).encode(), "application/json"
        else:
            body, kind = urlencode(request).encode(), "application/x-www-form-urlencoded"
        answer = http.request("POST", method, body=body, headers={"Content-Type": kind}, repeatable=repeatable)
        return answer.json()


def _form(raw_body: bytes) -> dict[str, str]:
    """Parse a form; raise BadSignature for an invalid one and for a repeated name."""
    try:
        pairs = parse_qsl(
            raw_body.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=MAX_FIELDS, errors="strict"
        )
    except ValueError:
        raise BadSignature("the callback is not a form") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise BadSignature("a parameter is repeated")
    return fields


def _refuse_failure(answer: Mapping[str, Any]) -> None:
    """Raise BankRefused or BankUnavailable, unless ``errorCode`` is absent or zero."""
    code = str(answer.get("errorCode") or "0")
    if code == SYSTEM_ERROR:
        raise BankUnavailable("sber has an internal error")
    if code != "0":
        raise BankRefused(code, str(answer.get("errorMessage"))[:300])


def _part(answer: Mapping[str, Any], name: str, *, default: int | None) -> int | None:
    parts = answer.get("paymentAmountInfo")
    value = parts.get(name) if isinstance(parts, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def _refunded_minor(answer: Mapping[str, Any]) -> int:
    return _part(answer, "refundedAmount", default=None) or 0


def _md_order(answer: Mapping[str, Any]) -> str:
    """Return the bank's id of an order from the attributes of a status by order number; raise BankUnavailable."""
    for attribute in answer.get("attributes") or []:
        if isinstance(attribute, dict) and attribute.get("name") == "mdOrder":
            return str(attribute.get("value"))
    raise BankUnavailable("sber did not return its id of the order")
