"""Request and response models of the lists."""

from pydantic import Field

from common.http.server.schemas import PageQuery, ResponseModel, UtcTime
from services.checks.models import Ending, HistoryType
from services.checks.schemas import ActiveCheck, Amount, Currency, Fastcheck


class HistoryQuery(PageQuery):
    type: HistoryType | None = None
    status: Ending | None = None


class ActiveList(ResponseModel):
    checks: list[ActiveCheck]
    next_cursor: str | None = Field(default=None, json_schema_extra={"type": "string"})


class HistoryCheck(ResponseModel):
    """An ended check. The field named after its status holds the time of its end."""

    fastcheck: Fastcheck
    amount: Amount
    currency: Currency
    type: HistoryType
    created_at: UtcTime | None = Field(default=None, json_schema_extra={"type": "string"})
    used_at: UtcTime | None = Field(default=None, json_schema_extra={"type": "string"})
    expired_at: UtcTime | None = Field(default=None, json_schema_extra={"type": "string"})
    cancelled_at: UtcTime | None = Field(default=None, json_schema_extra={"type": "string"})
    accepted_at: UtcTime | None = Field(default=None, json_schema_extra={"type": "string"})
    status: Ending


class HistoryList(ResponseModel):
    checks: list[HistoryCheck]
    next_cursor: str | None = Field(default=None, json_schema_extra={"type": "string"})
