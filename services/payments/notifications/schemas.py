"""Request and response models of the operator's view of notifications, and the path of a bank's webhook."""

from typing import Self

from pydantic import Field

from common.http.server.schemas import PageQuery, QueryModel, ResponseModel, UtcTime, utc
from services.payments.notifications.repository import StoredNotification


class BankPath(QueryModel):
    bank: str = Field(max_length=40, description="for example `tbank`")


class RefusedQuery(PageQuery):
    bank: str | None = Field(default=None, max_length=40)


class NotificationView(ResponseModel):
    notification_id: int = Field(alias="notificationID")
    bank: str
    source: str
    verdict: str
    payment_id: str | None = Field(default=None, alias="paymentID")
    order_id: str | None = Field(default=None, alias="orderID")
    bank_status: str | None = None
    amount: int | None = None
    currency: str | None = None
    transaction_id: str | None = Field(default=None, alias="transactionID")
    address: str | None = None
    headers: dict[str, str]
    body: str
    times: int
    first_received_at: UtcTime
    last_received_at: UtcTime

    @classmethod
    def of(cls, item: StoredNotification) -> Self:
        return cls(
            notification_id=item.notification_id,
            bank=item.bank,
            source=item.source,
            verdict=item.verdict,
            payment_id=item.bank_payment_id,
            order_id=item.bank_order_id,
            bank_status=item.bank_status,
            amount=item.amount_minor,
            currency=item.currency,
            transaction_id=str(item.topup_id) if item.topup_id else None,
            address=item.address,
            headers=item.headers,
            body=item.body,
            times=item.times,
            first_received_at=utc(item.first_received_at),
            last_received_at=utc(item.last_received_at),
        )


class NotificationList(ResponseModel):
    notifications: list[NotificationView]
    next_cursor: str | None = None
