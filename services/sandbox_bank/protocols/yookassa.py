"""YooKassa's objects and notifications, on the server side (yookassa.ru/developers/api)."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from services.sandbox_bank.faults import Fault
from services.sandbox_bank.models import Message, Payment, Refund, State

NAME: Final = "yookassa"

STATUSES: Final = {
    State.NEW: "pending",
    State.AUTHORIZED: "waiting_for_capture",
    State.CONFIRMED: "succeeded",
    State.PARTIAL_REFUNDED: "succeeded",
    State.REFUNDED: "succeeded",
    State.REJECTED: "canceled",
    State.CANCELED: "canceled",
    State.DEADLINE_EXPIRED: "canceled",
    State.REVERSED: "canceled",
}

#: Party and reason of a cancellation.
CANCELLATION: Final = {
    State.REJECTED: ("payment_network", "insufficient_funds"),
    State.CANCELED: ("yoo_money", "canceled_by_payer"),
    State.DEADLINE_EXPIRED: ("yoo_money", "expired_on_confirmation"),
    State.REVERSED: ("merchant", "canceled_by_merchant"),
}


class YooKassaWire:
    """Notifications of a shop, to the address configured for it."""

    name = NAME
    #: Repeats for 24 hours.
    max_attempts = 24

    def __init__(self, shop_id: str, notify_url: str, page_url: str) -> None:
        self._shop_id = shop_id
        self._notify_url = notify_url
        self._page_url = page_url

    def labels(self, before: State, after: State) -> Sequence[str]:  # noqa: ARG002  the protocol's shape
        if after in (State.PARTIAL_REFUNDED, State.REFUNDED):
            return ("refund.succeeded",)
        return (f"payment.{STATUSES[after]}",)

    def message(
        self, payment: Payment, label: str, *, amount_minor: int, refund: Refund | None, spoilt: frozenset[Fault]
    ) -> Message | None:
        if not self._notify_url:
            return None
        about = self.payment_object(payment) if refund is None else refund_object(refund)
        if Fault.WRONG_AMOUNT in spoilt:
            about["amount"] = amount_object(amount_minor, payment.currency)
        if Fault.WRONG_TERMINAL in spoilt and refund is None:
            about["recipient"] = {"account_id": "1", "gateway_id": "1"}
        if Fault.WRONG_SIGNATURE in spoilt:
            # The protocol has no signature. The closest equivalent is a payment id that the bank does not have.
            about["id" if refund is None else "payment_id"] = str(uuid5(NAMESPACE_URL, payment.public_id))
        body = json.dumps({"type": "notification", "event": label, "object": about})
        return Message(label, "POST", self._notify_url, "application/json", body.encode())

    def return_url(self, payment: Payment, *, paid: bool) -> str:
        return payment.success_url if paid else payment.fail_url

    def payment_object(self, payment: Payment) -> dict[str, Any]:
        """Return the payment as the API shows it."""
        status = STATUSES[payment.state]
        paid = status == "succeeded"
        shown: dict[str, Any] = {
            "id": payment.public_id,
            "status": status,
            "amount": amount_object(payment.amount_minor, payment.currency),
            "description": payment.description,
            "recipient": {"account_id": self._shop_id, "gateway_id": "1"},
            "created_at": iso_time(payment.created_at),
            "test": True,
            "paid": paid,
            "refundable": paid and payment.refunded_minor < payment.amount_minor,
            "metadata": payment.details.get("metadata") or {},
        }
        if status == "pending":
            shown["confirmation"] = {
                "type": "redirect",
                "return_url": payment.success_url,
                "confirmation_url": f"{self._page_url}/pay/{payment.page_key}",
            }
        if paid:
            shown["payment_method"] = {"type": "bank_card", "id": payment.public_id, "saved": False}
            shown["income_amount"] = amount_object(payment.amount_minor, payment.currency)
            shown["refunded_amount"] = amount_object(payment.refunded_minor, payment.currency)
        if payment.state in CANCELLATION:
            party, reason = CANCELLATION[payment.state]
            shown["cancellation_details"] = {"party": party, "reason": reason}
        return shown


def refund_object(refund: Refund) -> dict[str, Any]:
    """Return the refund as the API shows it."""
    return {
        "id": refund.public_id,
        "payment_id": refund.payment_id,
        "status": "succeeded",
        "created_at": iso_time(refund.created_at),
        "amount": amount_object(refund.amount_minor, refund.currency),
    }


def amount_object(amount_minor: int, currency: str) -> dict[str, str]:
    return {"value": str(Decimal(amount_minor).scaleb(-2)), "currency": currency}


def iso_time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
