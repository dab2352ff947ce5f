"""Request and response models of what operators are shown and may do."""

from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field

from common.http.server.schemas import AmountMinor, PageQuery, PrintableText, RequestModel, ResponseModel, UtcTime
from services.payments.reconciliation.models import Kind

Operator = Annotated[str, Field(min_length=1, max_length=100)]
Reason = Annotated[PrintableText, Field(min_length=3, max_length=500)]


class RefundRequest(RequestModel):
    """The same ``refundID`` is the same refund. Without ``amount``: all that is left."""

    refund_id: UUID | None = Field(default=None, alias="refundID", strict=False)
    amount: AmountMinor | None = None
    operator: Operator
    reason: Reason


class RefundView(ResponseModel):
    refund_id: str = Field(alias="refundID")
    transaction_id: str = Field(alias="transactionID")
    amount: int
    status: str
    note: str | None = None
    created_at: UtcTime
    finished_at: UtcTime | None = None


class AttemptView(ResponseModel):
    order_id: str = Field(alias="orderID")
    payment_id: str | None = Field(default=None, alias="paymentID")
    state: str


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


class NotificationList(ResponseModel):
    notifications: list[NotificationView]
    next_cursor: str | None = None


class TopUpStory(ResponseModel):
    """A top-up with all that happened to it."""

    transaction_id: str = Field(alias="transactionID")
    user_id: str = Field(alias="userID")
    bank: str
    amount: int
    refunded: int
    currency: str
    status: str
    created_at: UtcTime
    expires_at: UtcTime
    confirmed_at: UtcTime | None = None
    polls: int
    attempts: list[AttemptView]
    notifications: list[NotificationView]
    refunds: list[RefundView]


class AskedView(ResponseModel):
    """What the bank said when it was asked now."""

    answer: str


class RefusedQuery(PageQuery):
    bank: str | None = Field(default=None, max_length=40)


class ReconciliationRequest(RequestModel):
    """``statement``: the text of a CSV file. ``apply``: ask the bank about what differs, and take its word."""

    bank: str = Field(max_length=40)
    since: AwareDatetime = Field(strict=False)
    until: AwareDatetime = Field(strict=False)
    statement: str | None = None
    apply: bool = False
    operator: Operator
    reason: Reason = "reconciliation"


class SideView(ResponseModel):
    """One side's view of a payment."""

    amount: int | None = None
    currency: str | None = None
    status: str


class DifferenceView(ResponseModel):
    kind: Kind
    payment_id: str | None = Field(default=None, alias="paymentID")
    order_id: str | None = Field(default=None, alias="orderID")
    transaction_id: str | None = Field(default=None, alias="transactionID")
    ours: SideView | None = None
    theirs: SideView | None = None
    applied: str | None = None


class ReconciliationReport(ResponseModel):
    bank: str
    source: str
    compared: int
    differences: list[DifferenceView]
