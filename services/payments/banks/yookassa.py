"""YooKassa, API v3 (yookassa.ru/developers/api): JSON, HTTP Basic, an idempotence key for every request that acts.

Notifications have no signature. They are accepted from the published addresses only, and then only trigger
``GET /payments/{id}``, whose response is applied.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import InvalidOperation
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, ClassVar, Final
from urllib.parse import quote, urlencode

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from common.core.clock import format_utc
from common.core.money import MINOR_DIGITS, Money
from common.core.settings import CommaSeparated
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
from services.payments.banks.http import BankAnswer, BankHttp
from services.payments.banks.json_message import parse_object

NAME: Final = "yookassa"
MAX_DESCRIPTION: Final = 128
PAGE: Final = 100
MAX_PAGES: Final = 1_000
#: Tolerance for the difference to the bank's clock.
CLOCK_SKEW: Final = timedelta(minutes=2)

Network = IPv4Network | IPv6Network

#: Source addresses of notifications (yookassa.ru/developers/using-api/webhooks).
TRUSTED_NETWORKS: Final[tuple[Network, ...]] = tuple(
    ip_network(network)
    for network in (
        "185.71.76.0/27",
        "185.71.77.0/27",
        "77.75.153.0/25",
        "77.75.154.128/25",
        "77.75.156.11/32",
        "77.75.156.35/32",
        "2a02:5180::/32",
    )
)

STATUSES: Final[Mapping[str, PaymentStatus]] = {
    "pending": PaymentStatus.OPEN,
    "waiting_for_capture": PaymentStatus.HELD,
    "succeeded": PaymentStatus.CONFIRMED,
    "canceled": PaymentStatus.FAILED,
}


class YooKassaSettings(BankSettings):
    """``FASTCHECK_YOOKASSA_*``: the shop and its secret key. Notifications are configured at the bank."""

    model_config = SettingsConfigDict(env_prefix="FASTCHECK_YOOKASSA_")
    REQUIRED: ClassVar[tuple[tuple[str, ...], ...]] = (("shop_id",), ("secret_key",))

    shop_id: str = ""
    """Identifier of the shop at YooKassa."""
    secret_key: SecretStr = SecretStr("")
    """Secret key of the YooKassa API."""
    url: str = Field(default="https://api.yookassa.ru/v3/", pattern=r"^https?://")
    """URL of the YooKassa API, with its version."""
    more_networks: CommaSeparated = ()
    """Networks from which notifications are accepted besides the published ones, separated by commas. Forbidden in
    production."""

    def test_marks(self) -> list[str]:
        problems = []
        if self.secret_key.get_secret_value().startswith("test_"):
            problems.append(f"{self.variable('secret_key')} is a test key (production)")
        if self.more_networks:
            problems.append(f"{self.variable('more_networks')} is only for testing (production)")
        return problems


def is_trusted_address(ip: str) -> bool:
    """Return whether an IP address is a published one; False for invalid text."""
    return _is_in(ip, TRUSTED_NETWORKS)


def _is_in(ip: str, networks: tuple[Network, ...]) -> bool:
    try:
        address = ip_address(ip)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        # A dual-stack socket reports IPv4 peers in this form.
        address = address.ipv4_mapped
    return any(address in network for network in networks)


def open_bank(environment: BankEnvironment) -> Bank:
    """Create the adapter with settings from the environment."""
    return YooKassa(YooKassaSettings.load(environment), environment)


class YooKassa:
    """The adapter of YooKassa."""

    name = NAME
    statuses = STATUSES
    # A repeat with the same key and body returns the same payment and page.
    creation_is_repeatable = True

    def __init__(self, settings: YooKassaSettings, environment: BankEnvironment) -> None:
        self.terminal = settings.shop_id
        secret = f"{settings.shop_id}:{settings.secret_key.get_secret_value()}"
        self._authorization = "Basic " + base64.b64encode(secret.encode()).decode()
        self._http = BankHttp(NAME, settings.url, environment)
        # Notifications have no signature.
        self._callback_http = BankHttp.for_callbacks(NAME, settings.url, environment)
        self._networks = (*TRUSTED_NETWORKS, *(ip_network(network) for network in settings.more_networks))

    def create_payment(self, order: PaymentOrder, return_url: str, callback_url: str) -> BankPayment:  # noqa: ARG002
        answer = self._post(
            "payments",
            order.order_id,
            {
                "amount": _amount(order.money),
                "capture": True,
                "confirmation": {"type": "redirect", "return_url": return_url},
                "description": order.description[:MAX_DESCRIPTION],
                "metadata": {"order_id": order.order_id, "topup_id": str(order.topup_id)},
            },
        )
        payment_id = answer.get("id")
        confirmation = answer.get("confirmation")
        url = confirmation.get("confirmation_url") if isinstance(confirmation, dict) else None
        if not isinstance(payment_id, str) or not isinstance(url, str):
            raise BankUnavailable("yookassa created a payment without a page")
        return BankPayment(payment_id, url)

    def parse_notification(
        self,
        method: str,
        headers: Mapping[str, str],  # noqa: ARG002  the port's shape
        raw_body: bytes,
        query: Mapping[str, str],  # noqa: ARG002
        client_ip: str,
    ) -> Notification:
        if method != "POST" or not _is_in(client_ip, self._networks):
            raise BadSignature(f"the address {client_ip[:60]} does not belong to the bank")
        event, payment_id = _event(raw_body)
        try:
            payment = self._get_payment(payment_id, self._callback_http)
        except PaymentNotFound:
            raise BadSignature("the bank has no payment with the id of the notification") from None
        notification = self._notification(payment)
        if event == "refund.succeeded" and notification.status is PaymentStatus.CONFIRMED:
            return Notification(
                notification.bank_payment_id,
                notification.order_id,
                PaymentStatus.PARTLY_REFUNDED,
                "succeeded, partly refunded",
                notification.amount_minor,
                notification.currency,
                notification.terminal,
            )
        return notification

    def fetch_status(self, order: PaymentOrder) -> Notification:
        if order.bank_payment_id is not None:
            return self._notification(self._get_payment(order.bank_payment_id, self._http))
        # The API looks up payments only by its own id. A payment whose id was lost is found in the list.
        for notification in self.list_payments(order.created_at - CLOCK_SKEW, order.expires_at + CLOCK_SKEW):
            if notification.order_id == order.order_id:
                return notification
        raise PaymentNotFound(f"yookassa has no payment for order {order.order_id}")

    def cancel_payment(self, bank_payment_id: str) -> None:
        raise BankRefused("unsupported", f"yookassa does not cancel the unpaid payment {bank_payment_id}")

    def refund(self, order: PaymentOrder, amount_minor: int, key: str) -> RefundOutcome:
        # The idempotence key expires after 24 hours. The refunded amount tells whether an earlier request, whose
        # response was lost, made this refund.
        if self._refunded_minor(order) >= order.refunded_minor + amount_minor:
            return RefundOutcome.DONE
        amount = _amount(Money(amount_minor, order.money.currency))
        answer = self._post("refunds", key, {"payment_id": order.bank_payment_id, "amount": amount})
        status = answer.get("status")
        if status == "canceled":
            details = answer.get("cancellation_details")
            raise BankRefused("canceled", str(details)[:200])
        return RefundOutcome.DONE if status == "succeeded" else RefundOutcome.ACCEPTED

    def _refunded_minor(self, order: PaymentOrder) -> int:
        """Return the amount that the bank has refunded of a payment, in minor units."""
        refunded = _money(self._get_payment(order.bank_payment_id or "", self._http).get("refunded_amount"))
        return refunded.amount_minor if refunded else 0

    def list_payments(self, since: datetime, until: datetime) -> Iterator[Notification]:
        span = {"created_at.gte": format_utc(since), "created_at.lt": format_utc(until), "limit": PAGE}
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            query = urlencode({**span, **({"cursor": cursor} if cursor else {})})
            page = self._checked(self._get(f"payments?{query}", self._http))
            yield from (self._notification(item) for item in page.get("items") or [] if isinstance(item, dict))
            cursor = page.get("next_cursor")
            if not cursor:
                return
        raise BankUnavailable("the list of payments exceeds the maximum number of pages")

    def acknowledge(self) -> Acknowledgement:
        return Acknowledgement(200, "text/plain", b"")

    def _get(self, path: str, http: BankHttp) -> BankAnswer:
        return http.request("GET", path, headers={"Authorization": self._authorization}, repeatable=True)

    def _get_payment(self, payment_id: str, http: BankHttp) -> dict[str, Any]:
        answer = self._get(f"payments/{quote(payment_id, safe='')}", http)
        if answer.status == 404:
            raise PaymentNotFound(f"yookassa has no payment {payment_id[:60]}")
        return self._checked(answer)

    def _post(self, path: str, key: str, fields: Mapping[str, object]) -> dict[str, Any]:
        answer = self._http.request(
            "POST",
            path,
            body=json.dumps(fields, ensure_ascii=False).encode(),
            headers={
                "Authorization": self._authorization,
                "Idempotence-Key": key,
                "Content-Type": "application/json",
            },
            repeatable=True,
        )
        return self._checked(answer)

    @staticmethod
    def _checked(answer: BankAnswer) -> dict[str, Any]:
        if answer.status == 200:
            return answer.json()
        if answer.status in (202, 401, 403, 429):
            # In progress or not processed: nothing is decided about the payment.
            raise BankUnavailable(f"yookassa returned status {answer.status}")
        fields = answer.json()
        raise BankRefused(str(fields.get("code")), str(fields.get("description"))[:300])

    def _notification(self, payment: Mapping[str, Any]) -> Notification:
        bank_status = str(payment.get("status"))[:40]
        amount = _money(payment.get("amount"))
        refunded = _money(payment.get("refunded_amount"))
        status = STATUSES.get(bank_status, PaymentStatus.OTHER)
        # A refund does not change the status: only the refunded amount tells it.
        if status is PaymentStatus.CONFIRMED and refunded is not None and refunded.amount_minor > 0:
            whole = refunded == amount
            status = PaymentStatus.REFUNDED if whole else PaymentStatus.PARTLY_REFUNDED
            bank_status = "succeeded, refunded" if whole else "succeeded, partly refunded"
        if status is PaymentStatus.FAILED and _cancellation_reason(payment) == "expired_on_confirmation":
            status, bank_status = PaymentStatus.EXPIRED, "canceled, expired"
        metadata, recipient = payment.get("metadata"), payment.get("recipient")
        order_id = metadata.get("order_id") if isinstance(metadata, dict) else None
        account = recipient.get("account_id") if isinstance(recipient, dict) else None
        return Notification(
            bank_payment_id=str(payment.get("id", "")),
            order_id=str(order_id) if order_id else None,
            status=status,
            bank_status=bank_status,
            amount_minor=amount.amount_minor if amount else None,
            currency=amount.currency if amount else None,
            terminal=str(account) if account else None,
        )


def _cancellation_reason(payment: Mapping[str, Any]) -> str:
    details = payment.get("cancellation_details")
    return str(details.get("reason")) if isinstance(details, dict) else ""


def _event(raw_body: bytes) -> tuple[str, str]:
    """Return the name of the event and the id of its payment; raise BadSignature."""
    fields = parse_object(raw_body)
    subject = fields.get("object")
    if not isinstance(subject, dict) or fields.get("type") != "notification":
        raise BadSignature("the notification has an unknown format")
    event = str(fields.get("event"))
    payment_id = subject.get("payment_id" if event.startswith("refund.") else "id")
    if not isinstance(payment_id, str) or not 0 < len(payment_id) <= 64:
        raise BadSignature("the notification names no payment")
    return event, payment_id


def _amount(money: Money) -> dict[str, str]:
    return {"value": str(money.to_decimal()), "currency": money.currency}


def _money(amount: object) -> Money | None:
    """Parse ``{"value": "1000.00", "currency": "RUB"}``; return None if it is missing or invalid."""
    if not isinstance(amount, dict) or amount.get("currency") not in MINOR_DIGITS:
        return None
    try:
        return Money.from_decimal(str(amount.get("value")), str(amount["currency"]))
    except (ValueError, InvalidOperation, OverflowError):
        return None
