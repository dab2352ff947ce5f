"""Request and response models of balance."""

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

from common.core.grouping import GROUP_SIZE
from common.http.server.schemas import (
    AmountMinor,
    CurrencyCode,
    PageQuery,
    QueryModel,
    RequestModel,
    ResponseModel,
    UtcTime,
)
from services.balance.models import TransferKind

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def _written_out(value: object) -> object:
    """Accept RFC 3339 only: pydantic alone would parse a number as seconds since 1970."""
    if isinstance(value, str) and not _RFC_3339.fullmatch(value):
        raise ValueError("must be a time like 2026-01-19T09:08:18Z")
    return value


def _in_utc(instant: datetime) -> datetime:
    """Convert to UTC: PostgreSQL rejects offsets of 16 hours and more, which RFC 3339 allows."""
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be a time from the year 1 on, in UTC") from None


class BalanceQuery(QueryModel):
    currency: CurrencyCode = "RUB"
    at: Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_in_utc)] | None = Field(
        default=None, description="the balance as it stood at the end of this second"
    )


class BalanceView(ResponseModel):
    """The balance, without the money that active checks hold."""

    balance: int = Field(ge=0, examples=[150000])
    currency: str = Field(examples=["RUB"])


class StatementQuery(PageQuery):
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
