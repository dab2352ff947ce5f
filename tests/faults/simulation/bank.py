"""A bank with T-Bank's protocol, which the checker trusts about payments.

It is written from the protocol and not from the adapter, so that the two can disagree.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from common.http.client.client import HttpResponse

TERMINAL: Final = "Simulated"
PASSWORD: Final = "a password for the simulation"
PAGES: Final = "https://bank.simulated/pay/"

#: Status of a payment after Cancel.
_CANCELLED: Final = {"NEW": "CANCELED", "AUTHORIZED": "REVERSED", "CONFIRMED": "REFUNDED"}


@dataclass
class Payment:
    """One payment at the bank, in kopecks. ``taken`` is what was charged, ``returned`` what went back to the card."""

    payment_id: str
    order_id: str
    amount: int
    due: datetime
    status: str = "NEW"
    taken: int = 0
    returned: int = 0


class SimulatedBank:
    """All payments, by the bank's payment id."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.payments: dict[str, Payment] = {}
        self._refunds: set[str] = set()

    def reset(self) -> None:
        self.payments.clear()
        self._refunds.clear()

    def answer(self, method: str, raw: bytes) -> HttpResponse:
        """Answer an API call. T-Bank responds to all calls with status 200."""
        fields: dict[str, Any] = json.loads(raw)
        assert fields["Token"] == _token(fields), "the request is not signed well"
        assert fields["TerminalKey"] == TERMINAL
        calls = {"Init": self._init, "GetState": self._state, "CheckOrder": self._check_order, "Cancel": self._cancel}
        result = calls[method](fields)
        return HttpResponse(200, {"content-type": "application/json"}, json.dumps(result).encode())

    def pay(self, page: str, *, declined: bool = False) -> list[bytes]:
        """Pay or decline at a payment page; return the notifications. A page that has ended sends none."""
        payment = self.payment_of(page)
        if self._status(payment) != "NEW":
            return []
        if declined:
            payment.status = "REJECTED"
            return [self.notification(payment, "REJECTED")]
        payment.status, payment.taken = "CONFIRMED", payment.amount
        return [self.notification(payment, "AUTHORIZED"), self.notification(payment, "CONFIRMED")]

    def payment_of(self, page: str) -> Payment:
        """Return the payment of a page."""
        return self.payments[page.removeprefix(PAGES)]

    def notification(self, payment: Payment, status: str, *, amount: int | None = None, forged: bool = False) -> bytes:
        """Return the body of a notification."""
        fields = {
            "TerminalKey": TERMINAL,
            "OrderId": payment.order_id,
            "Success": status not in ("REJECTED", "CANCELED", "DEADLINE_EXPIRED"),
            "Status": status,
            "PaymentId": int(payment.payment_id),
            "ErrorCode": "0",
            "Amount": payment.amount if amount is None else amount,
            "Pan": "411111******1111",
        }
        token = _token(fields)
        return json.dumps({**fields, "Token": token[::-1] if forged else token}).encode()

    def _status(self, payment: Payment) -> str:
        if payment.status == "NEW" and self._now() >= payment.due:
            payment.status = "DEADLINE_EXPIRED"
        return payment.status

    def _init(self, fields: dict[str, Any]) -> dict[str, Any]:
        order_id = fields["OrderId"]
        if any(payment.order_id == order_id for payment in self.payments.values()):
            return {"Success": False, "ErrorCode": "8", "Message": "this OrderId was used", "TerminalKey": TERMINAL}
        # Derived from the order, so that it does not depend on other payments.
        payment_id = str(int(hashlib.sha256(order_id.encode()).hexdigest()[:8], 16) + 1)
        payment = Payment(payment_id, order_id, fields["Amount"], datetime.fromisoformat(fields["RedirectDueDate"]))
        self.payments[payment_id] = payment
        return {**self._told(payment), "PaymentURL": PAGES + payment_id}

    def _state(self, fields: dict[str, Any]) -> dict[str, Any]:
        payment = self.payments.get(str(fields["PaymentId"]))
        if payment is None:
            return {"Success": False, "ErrorCode": "255", "Message": "unknown payment"}
        return self._told(payment)

    def _check_order(self, fields: dict[str, Any]) -> dict[str, Any]:
        found = [payment for payment in self.payments.values() if payment.order_id == fields["OrderId"]]
        if not found:
            return {"Success": False, "ErrorCode": "255", "Message": "unknown order"}
        payments = [
            {"PaymentId": payment.payment_id, "Amount": payment.amount, "Status": self._status(payment)}
            for payment in found
        ]
        return {
            "Success": True,
            "ErrorCode": "0",
            "TerminalKey": TERMINAL,
            "OrderId": fields["OrderId"],
            "Payments": payments,
        }

    def _cancel(self, fields: dict[str, Any]) -> dict[str, Any]:
        payment = self.payments.get(str(fields["PaymentId"]))
        refund_key = fields.get("ExternalRequestId")
        if payment is None:
            return {"Success": False, "ErrorCode": "255", "Message": "unknown payment"}
        if refund_key in self._refunds:
            return self._told(payment)
        becomes = _CANCELLED.get(self._status(payment))
        if becomes is None:
            return {"Success": False, "ErrorCode": "4", "Message": f"it is {payment.status}"}
        if becomes == "REFUNDED":
            payment.returned += fields.get("Amount", payment.taken)
            if payment.returned < payment.taken:
                becomes = "PARTIAL_REFUNDED"
        if refund_key:
            self._refunds.add(refund_key)
        payment.status = becomes
        return self._told(payment)

    def _told(self, payment: Payment) -> dict[str, Any]:
        return {
            "Success": True,
            "ErrorCode": "0",
            "TerminalKey": TERMINAL,
            "Status": self._status(payment),
            "PaymentId": payment.payment_id,
            "OrderId": payment.order_id,
            "Amount": payment.amount,
        }


def _token(fields: dict[str, Any]) -> str:
    flat = {key: value for key, value in fields.items() if key != "Token" and not isinstance(value, dict | list)}
    flat["Password"] = PASSWORD
    text = "".join(str(flat[key]).lower() if isinstance(flat[key], bool) else str(flat[key]) for key in sorted(flat))
    return hashlib.sha256(text.encode()).hexdigest()
