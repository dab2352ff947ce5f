"""Request and response models of balance."""

from enum import StrEnum
from typing import Literal
from uuid import UUID

from pydantic import Field

from common.core.grouping import GROUP_SIZE
from common.http.server.schemas import (
    AmountMinor,
    CurrencyCode,
    Instant,
    PeriodQuery,
    QueryModel,
    RequestModel,
    ResponseModel,
    UtcTime,
)
from services.balance.models import TransferKind


class BalanceQuery(QueryModel):
    currency: CurrencyCode = "RUB"
    at: Instant | None = Field(default=None, description="the balance as it stood at the end of this second")


class BalanceView(ResponseModel):
    """The balance, without the money that active checks hold."""

    balance: int = Field(ge=0, examples=[150000])
    currency: str = Field(examples=["RUB"])


class StatementQuery(PeriodQuery):
    currency: CurrencyCode = "RUB"


class StatementEntry(ResponseModel):
    """One change of the balance; ``amount`` is signed."""

    entry_id: str = Field(alias="entryID")
    kind: TransferKind
    amount: int
    balance_after: int = Field(ge=0)
    currency: str
    fastcheck: str | None = None
    transaction_id: str | None = Field(default=None, alias="transactionID")
    created_at: UtcTime


class StatementView(ResponseModel):
    entries: list[StatementEntry]
    next_cursor: str | None = None


class HoldRequest(RequestModel):
    """Internal: hold a check's money."""

    check_id: UUID = Field(alias="checkID")
    user_id: UUID = Field(alias="userID")
    amount: AmountMinor
    currency: CurrencyCode
    fastcheck: str = Field(max_length=20)


class RefundRequest(RequestModel):
    """Internal: a refund of a top-up, whole or in part. ``refundID`` is the cause, ``transactionID`` the top-up."""

    refund_id: UUID = Field(alias="refundID")
    transaction_id: UUID = Field(alias="transactionID")
    user_id: UUID = Field(alias="userID")
    amount: AmountMinor
    currency: CurrencyCode


class SettlementRequest(HoldRequest):
    """Internal: settle a check to its acceptor."""


class BatchItem(HoldRequest):
    """Internal: one command of a batch, with the trace of the request that it serves."""

    request_id: str | None = Field(default=None, alias="requestID", max_length=64)
    traceparent: str | None = Field(default=None, max_length=100)


class Batch(RequestModel):
    """Internal: the commands of concurrent requests, at most one group of them."""

    items: list[BatchItem] = Field(min_length=1, max_length=GROUP_SIZE)


class ItemOutcome(StrEnum):
    """``alone``: nothing was done; the command must be given by itself."""

    DONE = "done"
    ALONE = "alone"


class BatchView(ResponseModel):
    """The outcome of each command, in the order of the batch."""

    outcomes: list[ItemOutcome]


class ReleaseRequest(HoldRequest):
    """Internal: release a check to its creator."""

    reason: Literal["cancelled", "expired"]
