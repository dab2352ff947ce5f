"""A bank adapter without a network: it writes the sandbox bank's table and reports what the test decides."""

# ruff: noqa: ARG002  (the adapter interface has more parameters than this bank needs)

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import text

from common.db.engine import Database
from services.payments.banks.base import (
    Acknowledgement,
    BankPayment,
    BankRefused,
    Notification,
    PaymentNotFound,
    PaymentOrder,
    PaymentStatus,
    RefundOutcome,
)

TERMINAL: Final = "1234567890123"

_INSERT = text("""
    INSERT INTO payments (protocol, public_id, order_id, amount_minor, currency, success_url, fail_url, page_key,
                          expires_at)
    VALUES ('tbank', :public_id, :order_id, :amount_minor, :currency, '', '', :order_id, :expires_at)
""")
_CHANGE = text("""
    UPDATE payments SET state = :state, refunded_minor = refunded_minor + :refunded WHERE public_id = :public_id
""")


class FakeBank:
    """Reports T-Bank's statuses. With ``rejects_refunds`` it rejects every refund."""

    name = "tbank"
    terminal = TERMINAL
    creation_is_repeatable = False
    statuses: Mapping[str, PaymentStatus] = {"CONFIRMED": PaymentStatus.CONFIRMED, "REJECTED": PaymentStatus.FAILED}

    def __init__(self, db: Database) -> None:
        self.db = db
        self.rejects_refunds = False
        self._notifications: dict[str, Notification] = {}

    def create_payment(self, order: PaymentOrder, return_url: str, callback_url: str) -> BankPayment:
        payment_id = f"P{len(self._notifications) + 1}"
        with self.db.autocommit() as tx:
            tx.execute(
                _INSERT,
                {
                    "public_id": payment_id,
                    "order_id": order.order_id,
                    "amount_minor": order.money.amount_minor,
                    "currency": order.money.currency,
                    "expires_at": order.expires_at,
                },
            )
        self._notify(order.order_id, payment_id, "NEW", PaymentStatus.OPEN, order.money.amount_minor)
        return BankPayment(payment_id, f"https://bank.example/{payment_id}")

    def confirm(self, order_id: str) -> Notification:
        """Charge the card."""
        return self._become(order_id, "CONFIRMED", PaymentStatus.CONFIRMED)

    def decline(self, order_id: str) -> Notification:
        """Decline the card."""
        return self._become(order_id, "REJECTED", PaymentStatus.FAILED)

    def fetch_status(self, order: PaymentOrder) -> Notification:
        if order.order_id not in self._notifications:
            raise PaymentNotFound(order.order_id)
        return self._notifications[order.order_id]

    def refund(self, order: PaymentOrder, amount_minor: int, key: str) -> RefundOutcome:
        if self.rejects_refunds:
            raise BankRefused("99", "not today")
        self._become(order.order_id, "PARTIAL_REFUNDED", PaymentStatus.PARTLY_REFUNDED, refunded=amount_minor)
        return RefundOutcome.DONE

    def cancel_payment(self, bank_payment_id: str) -> None:
        raise BankRefused("99", f"{bank_payment_id} cannot be cancelled")

    def parse_notification(
        self, method: str, headers: Mapping[str, str], raw_body: bytes, query: Mapping[str, str], client_ip: str
    ) -> Notification:
        raise NotImplementedError("this bank sends no HTTP notifications")

    def list_payments(self, since: datetime, until: datetime) -> Iterator[Notification] | None:
        return None

    def acknowledge(self) -> Acknowledgement:
        return Acknowledgement(200, "text/plain", b"OK")

    def _become(self, order_id: str, state: str, status: PaymentStatus, refunded: int = 0) -> Notification:
        before = self._notifications[order_id]
        with self.db.autocommit() as tx:
            tx.execute(_CHANGE, {"public_id": before.bank_payment_id, "state": state, "refunded": refunded})
        return self._notify(order_id, before.bank_payment_id, state, status, before.amount_minor or 0)

    def _notify(
        self, order_id: str, payment_id: str, state: str, status: PaymentStatus, amount_minor: int
    ) -> Notification:
        self._notifications[order_id] = Notification(payment_id, order_id, status, state, amount_minor, "RUB", TERMINAL)
        return self._notifications[order_id]
