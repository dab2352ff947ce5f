"""Request and response models of payments."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from common.http.server.schemas import (
    AmountMinor,
    CurrencyCode,
    PrintableText,
    QueryModel,
    RequestModel,
    ResponseModel,
    UtcTime,
)

TransactionId = Annotated[str, Field(alias="transactionID", examples=["6f0cf5d8-0a55-4d0c-9d3e-3c4b8f0f7a11"])]


class TopUpRequest(RequestModel):
    amount: AmountMinor
    currency: CurrencyCode = "RUB"
    return_url: PrintableText = Field(max_length=2_000, examples=["https://api.fastcheck.store/top-up"])


class StartedTopUp(ResponseModel):
    """The browser goes to ``paymentUrl``, the user pays there, and comes back to ``returnUrl``."""

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
    confirmed_at: UtcTime | None = Field(default=None, json_schema_extra={"type": "string"})


class TopUpList(ResponseModel):
    topups: list[TopUpView]
    next_cursor: str | None = Field(default=None, json_schema_extra={"type": "string"})


class TopUpPath(QueryModel):
    transaction_id: UUID = Field(alias="transactionID")


class BankPath(QueryModel):
    bank: str = Field(max_length=40, description="for example `tbank`")
