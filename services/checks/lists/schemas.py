"""Request and response models of the lists."""

from typing import Literal

from pydantic import Field

from common.http.server.schemas import PeriodQuery, ResponseModel, UtcTime
from services.checks.models import Ending, HistoryType
from services.checks.schemas import ActiveCheck, Amount, Currency, Fastcheck


class HistoryQuery(PeriodQuery):
    type: HistoryType | None = None
    status: Ending | None = None


class ActiveList(ResponseModel):
    checks: list[ActiveCheck]
    next_cursor: str | None = None


class HistoryCheck(ResponseModel):
    """An ended check. The field named after its status holds the time of its end."""

    fastcheck: Fastcheck
    amount: Amount
    currency: Currency
    type: HistoryType
    created_at: UtcTime | None = None
    used_at: UtcTime | None = None
    expired_at: UtcTime | None = None
    cancelled_at: UtcTime | None = None
    accepted_at: UtcTime | None = None
    status: Ending
    note: str | None = None


class CheckView(ResponseModel):
    """A check as its creator or its acceptor sees it. Only the creator sees when and with which code it was created."""

    fastcheck: Fastcheck
    amount: Amount
    currency: Currency
    type: HistoryType
    status: Literal["active", "used", "expired", "cancelled"]
    note: str | None = None
    code: str | None = Field(default=None, description="of an active check")
    created_at: UtcTime | None = None
    expiration: UtcTime | None = Field(default=None, description="of an active check")
    frozen_until: UtcTime | None = Field(default=None, description="the check cannot be accepted until then")
    code_change_required: bool | None = Field(
        default=None, description="true after too many wrong codes: the check cannot be accepted until the code changes"
    )
    used_at: UtcTime | None = None
    expired_at: UtcTime | None = None
    cancelled_at: UtcTime | None = None
    accepted_at: UtcTime | None = None


class HistoryList(ResponseModel):
    checks: list[HistoryCheck]
    next_cursor: str | None = None
