"""Request and response models of refunds."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import Field

from common.http.server.schemas import AmountMinor, PrintableText, RequestModel, ResponseModel, UtcTime, utc
from services.payments.refunds.models import Refund

Operator = Annotated[str, Field(min_length=1, max_length=100)]
Reason = Annotated[PrintableText, Field(min_length=3, max_length=500)]


class RefundRequest(RequestModel):
    """A repeat with the same ``refundID`` has no further effect. Without ``amount``, the remainder is refunded."""

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

    @classmethod
    def of(cls, refund: Refund) -> Self:
        return cls(
            refund_id=str(refund.refund_id),
            transaction_id=str(refund.topup_id),
            amount=refund.amount_minor,
            status=refund.status,
            note=refund.note,
            created_at=utc(refund.created_at),
            finished_at=utc(refund.finished_at) if refund.finished_at else None,
        )
