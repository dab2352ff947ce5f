"""Request and response models of checks."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from common.http.server.schemas import (
    AmountMinor,
    CurrencyCode,
    PageQuery,
    PrintableText,
    QueryModel,
    RequestModel,
    ResponseModel,
    UtcTime,
)
from services.checks.models import Ending, HistoryType

FastcheckNumber = Annotated[
    str, Field(pattern=r"^[0-9]{4}-[0-9]{4}-[0-9]{4}$", description="the number of a check, as 1234-5678-0001")
]
Code = Annotated[str, Field(pattern=r"^[0-9]{4}$", description="the secret code of a check", examples=["5864"])]


def _none_if_empty(note: object) -> object:
    return None if note == "" else note


class CreateRequest(RequestModel):
    """What a check shall be worth, and for how long."""

    amount: AmountMinor
    currency: CurrencyCode = "RUB"
    note: Annotated[PrintableText | None, BeforeValidator(_none_if_empty)] = Field(
        default=None, max_length=140, description="for the two of them", json_schema_extra={"type": "string"}
    )
    expires_in: int | None = Field(
        default=None,
        description="seconds; 7 days if it is left out",
        # The bounds are settings; these are what they are by default.
        json_schema_extra={"type": "integer", "minimum": 60, "maximum": 7_776_000},
    )


class NumberAndCode(RequestModel):
    """Both are needed for everything that is not the creator's."""

    fastcheck: FastcheckNumber
    code: Code


class NumberPath(QueryModel):
    fastcheck: FastcheckNumber


class QrQuery(QueryModel):
    with_code: bool = Field(default=False, description="put the code into the link too, after the #")


class HistoryQuery(PageQuery):
    type: HistoryType | None = None
    status: Ending | None = None


_Fastcheck = Annotated[str, Field(examples=["1234-5678-0001"])]
_Amount = Annotated[int, Field(gt=0, examples=[15000])]
_Currency = Annotated[str, Field(examples=["RUB"])]


class ActiveCheck(ResponseModel):
    """A check that waits to be accepted, as its creator sees it."""

    fastcheck: _Fastcheck
    amount: _Amount
    currency: _Currency
    code: str = Field(examples=["5864"])
    note: str | None = Field(default=None, json_schema_extra={"type": "string"})
    created_at: UtcTime
    expiration: UtcTime
    status: Literal["active"] = "active"
    frozen_until: UtcTime | None = Field(
        default=None, description="nobody can accept it until then", json_schema_extra={"type": "string"}
    )


class ActiveList(ResponseModel):
    checks: list[ActiveCheck]
    next_cursor: str | None = Field(default=None, json_schema_extra={"type": "string"})


class AcceptedCheck(ResponseModel):
    """The money is the caller's."""

    fastcheck: _Fastcheck
    amount: _Amount
    currency: _Currency
    accepted_at: UtcTime
    status: Literal["used"] = "used"


class PreviewedCheck(ResponseModel):
    """What accepting would bring."""

    fastcheck: _Fastcheck
    amount: _Amount
    currency: _Currency
    expiration: UtcTime
    note: str | None = Field(default=None, json_schema_extra={"type": "string"})
    status: Literal["active"] = "active"


class CancelledCheck(ResponseModel):
    """The money is the creator's again."""

    fastcheck: _Fastcheck
    amount: _Amount
    currency: _Currency
    note: str | None = Field(default=None, json_schema_extra={"type": "string"})
    created_at: UtcTime
    cancelled_at: UtcTime
    status: Literal["cancelled"] = "cancelled"


class HistoryCheck(ResponseModel):
    """A check that has ended; the time of its end is under the name of how it ended."""

    fastcheck: _Fastcheck
    amount: _Amount
    currency: _Currency
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
