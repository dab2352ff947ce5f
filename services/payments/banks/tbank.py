"""T-Bank, internet acquiring, API v2 (developer.tbank.ru/eacq): JSON over POST, signed by a token, roubles only."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

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
from services.payments.banks.json_message import parse_object

NAME: Final = "tbank"
CURRENCY: Final = "RUB"
MAX_DESCRIPTION: Final = 140

STATUSES: Final[Mapping[str, PaymentStatus]] = {
    "NEW": PaymentStatus.OPEN,
    "FORM_SHOWED": PaymentStatus.OPEN,
    "AUTHORIZING": PaymentStatus.OPEN,
    "3DS_CHECKING": PaymentStatus.OPEN,
    "3DS_CHECKED": PaymentStatus.OPEN,
    # Not final: the payer may try another card until ATTEMPTS_EXPIRED, REJECTED or DEADLINE_EXPIRED.
    "AUTH_FAIL": PaymentStatus.OPEN,
    "AUTHORIZED": PaymentStatus.HELD,
    "CONFIRMING": PaymentStatus.HELD,
    "REVERSING": PaymentStatus.HELD,
    # Only for two-stage payments, which are not used.
    "PARTIAL_REVERSED": PaymentStatus.OTHER,
    "CONFIRMED": PaymentStatus.CONFIRMED,
    # Until the refund is completed, the merchant has the money.
    "REFUNDING": PaymentStatus.CONFIRMED,
    "PARTIAL_REFUNDED": PaymentStatus.PARTLY_REFUNDED,
    "REFUNDED": PaymentStatus.REFUNDED,
    "REVERSED": PaymentStatus.FAILED,
    "CANCELED": PaymentStatus.FAILED,
    "DEADLINE_EXPIRED": PaymentStatus.EXPIRED,
    "ATTEMPTS_EXPIRED": PaymentStatus.FAILED,
    "REJECTED": PaymentStatus.FAILED,
}

#: Wrong token, unknown or blocked terminal, internal error: these decide nothing about the payment.
NOT_ABOUT_THE_PAYMENT: Final = frozenset({"202", "204", "205", "501", "9999"})


class TBankSettings(BankSettings):
    """``FASTCHECK_TBANK_*``: the terminal, its password, and the API's address with its version at the end."""

    model_config = SettingsConfigDict(env_prefix="FASTCHECK_TBANK_")

    terminal_key: str = Field(min_length=1)
    """Terminal of the merchant at T-Bank."""
    password: SecretStr = Field(min_length=1)
    """Password of the T-Bank terminal; it signs requests and notifications."""
    url: str = Field(default="https://securepay.tinkoff.ru/v2/", pattern=r"^https?://")
    """URL of the T-Bank API, with its version."""

    def test_marks(self) -> list[str]:
        if self.terminal_key.endswith("DEMO") or self.terminal_key.startswith("FastCheck"):
            return [f"{self.variable('terminal_key')} is a test terminal (production)"]
        return []


def token(fields: Mapping[str, object], password: str) -> str:
    """Return the ``Token`` of a request or a notification: 64 lower-case hex digits.

    SHA-256 over the values of the root's scalars except ``Token``, with the password as ``Password``, in the order of
    their keys. Objects, arrays and null are skipped. Values that are text are not converted.
    """
    values = {
        key: _text(value)
        for key, value in fields.items()
        if key != "Token" and value is not None and not isinstance(value, Mapping | list | tuple)
    }
    values["Password"] = password
    return hashlib.sha256("".join(values[key] for key in sorted(values)).encode()).hexdigest()


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def open_bank(environment: BankEnvironment) -> Bank:
    """Create the adapter with settings from the environment."""
    return TBank(TBankSettings.load(environment), environment)


class TBank:
    """The adapter of T-Bank."""

    name = NAME
    statuses = STATUSES
    # A repeated OrderId is an error, and the URL of the page is returned only once.
    creation_is_repeatable = False

    def __init__(self, settings: TBankSettings, environment: BankEnvironment) -> None:
        self.terminal = settings.terminal_key
        self._password = settings.password.get_secret_value()
        self._http = BankHttp(NAME, settings.url, environment)

    def create_payment(self, order: PaymentOrder, return_url: str, callback_url: str) -> BankPayment:
        answer = self._call(
            "Init",
            {
                "Amount": order.money.amount_minor,
                "OrderId": order.order_id,
                "Description": order.description[:MAX_DESCRIPTION],
                "PayType": "O",
                "Language": "ru",
                "NotificationURL": callback_url,
                "SuccessURL": return_url,
                "FailURL": return_url,
                "RedirectDueDate": order.expires_at.astimezone(UTC).replace(microsecond=0).isoformat(),
            },
        )
        _refuse_failure(answer)
        payment_id, payment_url = answer.get("PaymentId"), answer.get("PaymentURL")
        if not payment_id or not isinstance(payment_url, str):
            raise BankUnavailable("tbank created a payment without a page")
        if (str(answer.get("OrderId")), str(answer.get("Amount"))) != (order.order_id, str(order.money.amount_minor)):
            raise BankUnavailable("tbank responded for another order")
        return BankPayment(str(payment_id), payment_url)

    def parse_notification(
        self,
        method: str,
        headers: Mapping[str, str],  # noqa: ARG002  the port's shape
        raw_body: bytes,
        query: Mapping[str, str],  # noqa: ARG002
        client_ip: str,  # noqa: ARG002
    ) -> Notification:
        # The token is computed over the text of numbers.
        fields = parse_object(raw_body, parse_number=str)
        given = fields.get("Token")
        expected = token(fields, self._password)
        if method != "POST" or not isinstance(given, str) or not hmac.compare_digest(given.encode(), expected.encode()):
            raise BadSignature("wrong token")
        return self._notification(fields)

    def fetch_status(self, order: PaymentOrder) -> Notification:
        if order.bank_payment_id is not None:
            answer = self._call("GetState", {"PaymentId": order.bank_payment_id}, repeatable=True)
            _refuse_unknown(answer)
            return self._notification(answer)
        answer = self._call("CheckOrder", {"OrderId": order.order_id}, repeatable=True)
        _refuse_unknown(answer)
        payments = [payment for payment in answer.get("Payments") or [] if isinstance(payment, dict)]
        if not payments:
            raise PaymentNotFound(f"tbank has no payment for order {order.order_id}")
        paid = [payment for payment in payments if payment.get("Status") == "CONFIRMED"]
        return self._notification(
            {"TerminalKey": self.terminal, "OrderId": order.order_id, **(paid or payments)[-1]},
        )

    def cancel_payment(self, bank_payment_id: str) -> None:
        _refuse_failure(self._call("Cancel", {"PaymentId": bank_payment_id}))

    def refund(self, order: PaymentOrder, amount_minor: int, key: str) -> RefundOutcome:
        answer = self._call(
            "Cancel",
            {"PaymentId": order.bank_payment_id, "Amount": amount_minor, "ExternalRequestId": key},
        )
        _refuse_failure(answer)
        return RefundOutcome.DONE if "REFUNDED" in str(answer.get("Status")) else RefundOutcome.ACCEPTED

    def list_payments(self, since: datetime, until: datetime) -> None:
        """Return None: the acquiring API has no list. Reconciliation uses a statement file."""

    def acknowledge(self) -> Acknowledgement:
        return Acknowledgement(200, "text/plain", b"OK")

    def _call(self, method: str, fields: Mapping[str, object], *, repeatable: bool = False) -> dict[str, Any]:
        request = {"TerminalKey": self.terminal, **fields}
        body = json.dumps({**request, "Token": token(request, self._password)}, ensure_ascii=False)
        answer = self._http.request(
            "POST",
            method,
            body=body.encode(),
            headers={"Content-Type": "application/json"},
            repeatable=repeatable,
        )
        return answer.json()

    def _notification(self, fields: Mapping[str, Any]) -> Notification:
        bank_status = str(fields.get("Status"))[:40]
        amount = str(fields.get("Amount", ""))
        return Notification(
            bank_payment_id=str(fields.get("PaymentId", "")),
            order_id=str(fields["OrderId"]) if fields.get("OrderId") else None,
            # The same address receives notifications of other kinds (receipts, saved cards).
            status=STATUSES.get(bank_status, PaymentStatus.OTHER),
            bank_status=bank_status,
            amount_minor=int(amount) if amount.isascii() and amount.isdigit() else None,
            currency=CURRENCY,
            terminal=str(fields.get("TerminalKey")),
        )


def _refuse_failure(answer: Mapping[str, Any]) -> None:
    """Raise BankRefused for an unsuccessful response, or BankUnavailable if it decides nothing."""
    code = str(answer.get("ErrorCode", ""))
    if answer.get("Success") is True and code == "0":
        return
    if code in NOT_ABOUT_THE_PAYMENT:
        raise BankUnavailable(f"tbank did not process the payment: error {code}")
    raise BankRefused(code, " ".join(str(answer.get(key) or "") for key in ("Message", "Details")).strip()[:300])


def _refuse_unknown(answer: Mapping[str, Any]) -> None:
    code = str(answer.get("ErrorCode", ""))
    if answer.get("Success") is True or answer.get("Status") in STATUSES:
        return
    if code in NOT_ABOUT_THE_PAYMENT or not code:
        raise BankUnavailable(f"tbank did not report a status: error {code or 'without a code'}")
    raise PaymentNotFound(f"tbank has no such payment: error {code}")
