"""Request and response models that several capabilities share."""

from typing import Annotated, Literal

from pydantic import Field

from common.http.server.schemas import QueryModel, ResponseModel, UtcTime

FastcheckNumber = Annotated[
    str, Field(pattern=r"^[0-9]{4}-[0-9]{4}-[0-9]{4}$", description="the number of a check, as 1234-5678-0001")
]
Fastcheck = Annotated[str, Field(examples=["1234-5678-0001"])]
Amount = Annotated[int, Field(gt=0, examples=[15000])]
Currency = Annotated[str, Field(examples=["RUB"])]


class NumberPath(QueryModel):
    fastcheck: FastcheckNumber


class ActiveCheck(ResponseModel):
    """An active check, as its creator sees it."""

    fastcheck: Fastcheck
    amount: Amount
    currency: Currency
    code: str = Field(examples=["5864"])
    note: str | None = None
    created_at: UtcTime
    expiration: UtcTime
    status: Literal["active"] = "active"
    code_change_required: bool | None = Field(
        default=None, description="true after too many wrong codes: the check cannot be accepted until the code changes"
    )
    frozen_until: UtcTime | None = Field(default=None, description="the check cannot be accepted until then")
