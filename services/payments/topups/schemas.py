"""Request and response models of top-ups."""

import re
from typing import Annotated, Final, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field

from common.http.server.schemas import (
    AmountMinor,
    CurrencyCode,
    QueryModel,
    RequestModel,
    ResponseModel,
    UtcTime,
    utc,
)
from services.payments.models import Attempt, TopUp, public_status
from services.payments.notifications.schemas import NotificationView
from services.payments.refunds.schemas import RefundView

TransactionId = Annotated[str, Field(alias="transactionID", examples=["6f0cf5d8-0a55-4d0c-9d3e-3c4b8f0f7a11"])]


#: Parsers of URLs remove tabs and line feeds silently; in a response header they would be an error.
_CONTROL_CHARACTERS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def _on_one_line(text: str) -> str:
    if _CONTROL_CHARACTERS.search(text):
        raise ValueError("must not contain control characters")
    return text


class TopUpRequest(RequestModel):
    amount: AmountMinor
    currency: CurrencyCode = "RUB"
    return_url: Annotated[str, AfterValidator(_on_one_line)] = Field(
        max_length=2_000, examples=["https://api.fastcheck.store/top-up"]
    )


class StartedTopUp(ResponseModel):
    """A started top-up. The user pays at ``paymentUrl``; the bank then sends the browser to ``returnUrl``."""

    transaction_id: TransactionId
    amount: int = Field(gt=0)
    currency: str = Field(examples=["RUB"])
    status: Literal["pending"]
    payment_url: str
    created_at: UtcTime


class TopUpView(ResponseModel):
    transaction_id: TransactionId
    amount: int = Field(gt=0)
    currency: str = Field(examples=["RUB"])
    status: Literal["pending", "confirmed", "failed", "expired", "refunded"]
    created_at: UtcTime
    confirmed_at: UtcTime | None = None
    payment_url: str | None = Field(
        default=None, description="while the top-up can be paid; lists do not have it", examples=["https://bank/..."]
    )

    @classmethod
    def of(cls, topup: TopUp, payment_url: str | None = None) -> Self:
        return cls(
            transaction_id=str(topup.topup_id),
            amount=topup.amount_minor,
            currency=topup.currency,
            status=public_status(topup.status),
            created_at=utc(topup.created_at),
            confirmed_at=utc(topup.confirmed_at) if topup.confirmed_at else None,
            payment_url=payment_url,
        )


class TopUpList(ResponseModel):
    topups: list[TopUpView]
    next_cursor: str | None = None


class TopUpPath(QueryModel):
    transaction_id: UUID = Field(alias="transactionID")


class AttemptView(ResponseModel):
    order_id: str = Field(alias="orderID")
    payment_id: str | None = Field(default=None, alias="paymentID")
    state: str

    @classmethod
    def of(cls, attempt: Attempt) -> Self:
        return cls(order_id=attempt.bank_order_id, payment_id=attempt.bank_payment_id, state=attempt.state)


class TopUpDetailsView(ResponseModel):
    """A top-up with its attempts, notifications and refunds."""

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
