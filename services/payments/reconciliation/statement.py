"""Reader of statement files: CSV exports of a bank's back office, or files made by hand.

The first line names the columns, in any order, separated by commas or semicolons: ``payment_id`` or ``order_id``
(or both), ``amount`` (in roubles, ``500.00`` or ``500,00``), ``status`` (a status of the bank or of PaymentStatus),
and optionally ``currency`` (default RUB) and ``refunded``. Other columns are ignored.
"""

import csv
import io
from collections.abc import Mapping
from decimal import InvalidOperation
from typing import Final

from common.core.errors import InvalidRequest
from common.core.money import Money
from services.payments.banks.base import Bank, Notification, PaymentStatus

#: The banks' own names of the columns, in lower case without blanks and underscores.
ALIASES: Final[Mapping[str, str]] = {
    "paymentid": "payment_id",
    "mdorder": "payment_id",
    "id": "payment_id",
    "идентификаторплатежа": "payment_id",
    "orderid": "order_id",
    "ordernumber": "order_id",
    "номерзаказа": "order_id",
    "amount": "amount",
    "сумма": "amount",
    "status": "status",
    "статус": "status",
    "currency": "currency",
    "валюта": "currency",
    "refunded": "refunded",
    "refundedamount": "refunded",
}
MAX_ROWS: Final = 200_000


def read_statement(text: str, bank: Bank) -> list[Notification]:
    """Return the payments of a statement; raise InvalidRequest that names the first invalid line."""
    text = text.removeprefix("\ufeff")
    first = text.split("\n", 1)[0]
    rows = csv.reader(io.StringIO(text), delimiter=";" if first.count(";") > first.count(",") else ",")
    columns = [ALIASES.get(_plain(name), "") for name in next(rows, [])]
    if not {"amount", "status"} <= set(columns) or not {"payment_id", "order_id"} & set(columns):
        raise _wrong(1, "the first line must name the columns amount, status, and payment_id or order_id")
    found: list[Notification] = []
    for number, row in enumerate(rows, start=2):
        if number > MAX_ROWS:
            raise _wrong(number, f"a statement has at most {MAX_ROWS} lines")
        if any(cell.strip() for cell in row):
            fields = {name: cell.strip() for name, cell in zip(columns, row, strict=False) if name}
            found.append(_payment(fields, number, bank))
    return found


def _payment(fields: Mapping[str, str], number: int, bank: Bank) -> Notification:
    currency = fields.get("currency") or "RUB"
    amount = _money(fields.get("amount", ""), currency, number)
    status_text = fields.get("status", "")
    status = bank.statuses.get(status_text) or _common_status(status_text)
    if status is None:
        raise _wrong(number, f"{bank.name} has no status {status_text!r}")
    if fields.get("refunded") and status is PaymentStatus.CONFIRMED:
        refunded = _money(fields["refunded"], currency, number)
        if refunded.amount_minor:
            status = PaymentStatus.REFUNDED if refunded == amount else PaymentStatus.PARTLY_REFUNDED
    if not fields.get("payment_id") and not fields.get("order_id"):
        raise _wrong(number, "names neither the payment nor the order")
    return Notification(
        bank_payment_id=fields.get("payment_id", ""),
        order_id=fields.get("order_id") or None,
        status=status,
        bank_status=status_text,
        amount_minor=amount.amount_minor,
        currency=currency,
    )


def _common_status(status_text: str) -> PaymentStatus | None:
    try:
        return PaymentStatus(status_text.lower())
    except ValueError:
        return None


def _money(text: str, currency: str, number: int) -> Money:
    try:
        return Money.from_decimal(text.replace("\u00a0", "").replace(" ", "").replace(",", "."), currency)
    except (ValueError, InvalidOperation, KeyError, OverflowError):
        raise _wrong(number, f"{text!r} is not an amount of {currency}") from None


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "").replace("_", "")


def _wrong(number: int, what: str) -> InvalidRequest:
    return InvalidRequest(f"invalid statement: line {number}: {what}", errors={"statement": what})
