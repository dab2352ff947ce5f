"""Request and response models of the lifecycle."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from common.http.server.schemas import AmountMinor, CurrencyCode, PrintableText, RequestModel, ResponseModel, UtcTime
from services.checks.schemas import Amount, Currency, Fastcheck, FastcheckNumber

Code = Annotated[str, Field(pattern=r"^[0-9]{4}$", description="the secret code of a check", examples=["5864"])]


def _none_if_empty(note: object) -> object:
    return None if note == "" else note


class CreateRequest(RequestModel):
    """The parameters of a new check."""

    amount: AmountMinor
    currency: CurrencyCode = "RUB"
    note: Annotated[PrintableText | None, BeforeValidator(_none_if_empty)] = Field(
        default=None,
        max_length=140,
        description="a note for the creator and the recipient",
    )
    expires_in: int | None = Field(
        default=None,
        description="lifetime in seconds; 7 days by default",
        # The bounds are settings; these are their defaults.
        json_schema_extra={"minimum": 60, "maximum": 7_776_000},
    )


class NumberAndCode(RequestModel):
    """What a recipient enters to preview or accept a check."""

    fastcheck: FastcheckNumber
    code: Code


class AcceptedCheck(ResponseModel):
    """A check that the caller has accepted."""

    fastcheck: Fastcheck
    amount: Amount
    currency: Currency
    accepted_at: UtcTime
    status: Literal["used"] = "used"


class PreviewedCheck(ResponseModel):
    """What the caller would receive."""

    fastcheck: Fastcheck
    amount: Amount
    currency: Currency
    expiration: UtcTime
    note: str | None = None
    status: Literal["active"] = "active"


class CancelledCheck(ResponseModel):
    """A check whose money is released to the creator."""

    fastcheck: Fastcheck
    amount: Amount
    currency: Currency
    note: str | None = None
    created_at: UtcTime
    cancelled_at: UtcTime
    status: Literal["cancelled"] = "cancelled"
