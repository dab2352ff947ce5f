"""Request and response models of the lifecycle."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from common.http.server.schemas import AmountMinor, CurrencyCode, PrintableText, RequestModel, ResponseModel, UtcTime
from services.checks.schemas import Amount, Currency, Fastcheck, FastcheckNumber

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


class AcceptedCheck(ResponseModel):
    """The money is the caller's."""

    fastcheck: Fastcheck
    amount: Amount
    currency: Currency
    accepted_at: UtcTime
    status: Literal["used"] = "used"


class PreviewedCheck(ResponseModel):
    """What accepting would bring."""

    fastcheck: Fastcheck
    amount: Amount
    currency: Currency
    expiration: UtcTime
    note: str | None = Field(default=None, json_schema_extra={"type": "string"})
    status: Literal["active"] = "active"


class CancelledCheck(ResponseModel):
    """The money is the creator's again."""

    fastcheck: Fastcheck
    amount: Amount
    currency: Currency
    note: str | None = Field(default=None, json_schema_extra={"type": "string"})
    created_at: UtcTime
    cancelled_at: UtcTime
    status: Literal["cancelled"] = "cancelled"
