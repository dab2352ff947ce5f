"""Base classes and field types of the HTTP models of all services."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from flask_openapi3.types import ResponseDict
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic.json_schema import DEFAULT_REF_TEMPLATE, GenerateJsonSchema, JsonSchemaMode

from common.core.clock import format_utc
from common.core.money import MAX_AMOUNT_MINOR, MINOR_DIGITS
from common.http.server.json_schema import AbsentNotNull
from common.http.server.paging import DEFAULT_LIMIT, MAX_LIMIT

_CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class HttpModel(BaseModel):
    """The base of all models; its JSON schema has no null."""

    @classmethod
    def model_json_schema(
        cls,
        by_alias: bool | None = True,
        ref_template: str = DEFAULT_REF_TEMPLATE,
        schema_generator: type[GenerateJsonSchema] = AbsentNotNull,
        mode: JsonSchemaMode = "validation",
        **options: Any,
    ) -> dict[str, Any]:
        """Return the schema; flask-openapi3 calls this without a generator."""
        return super().model_json_schema(by_alias, ref_template, schema_generator, mode, **options)


class RequestModel(HttpModel):
    """A request body: ``camelCase``, no unknown fields, no coercion of one type into another."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True, frozen=True, validate_by_name=True)


class QueryModel(HttpModel):
    """A query string or path: text that is converted, no unknown parameters."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, validate_by_name=True)


class ResponseModel(HttpModel):
    """A response body: ``camelCase``; fields that are None are omitted."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, frozen=True, extra="forbid")


class ErrorBody(HttpModel):
    """An error: a sentence for people, a code for programs, and the fields at fault.

    The response to a missing, unknown, expired or ended session has no code: ``{"message": "not authorized"}``.
    """

    message: str
    code: str | None = None
    errors: dict[str, str] | None = Field(default=None, description="a sentence per field at fault")


def printable(text: str) -> str:
    """Return the text; raises ValueError for control characters, of which PostgreSQL rejects NUL."""
    if _CONTROL_CHARACTERS.search(text):
        raise ValueError("must not contain control characters")
    return text


PrintableText = Annotated[str, AfterValidator(printable)]

#: An amount in minor units.
AmountMinor = Annotated[
    int, Field(gt=0, le=MAX_AMOUNT_MINOR, description="whole minor units, for example kopecks", examples=[15000])
]


def currency_code(value: str) -> str:
    """Return the code; raises ValueError for an unknown currency. A service may accept fewer."""
    if value not in MINOR_DIGITS:
        raise ValueError("must be an ISO 4217 code that is accepted here, for example RUB")
    return value


CurrencyCode = Annotated[str, AfterValidator(currency_code), Field(min_length=3, max_length=3)]

#: ``2026-01-19T09:08:18Z``
UtcTime = Annotated[str, Field(json_schema_extra={"format": "date-time"}, examples=["2026-01-19T09:08:18Z"])]

utc = format_utc

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


#: A time in a query: RFC 3339 with an offset.
Instant = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_in_utc)]


class PageQuery(QueryModel):
    """The page of a list."""

    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT)
    cursor: str | None = Field(default=None, max_length=400)


class PeriodQuery(PageQuery):
    """The page of a list, and the period of its items."""

    since: Instant | None = Field(
        default=None, alias="from", description="from this time on, for example the first day"
    )
    until: Instant | None = Field(default=None, alias="to", description="before this time")


class IdempotencyHeader(HttpModel):
    """The optional header of every request that moves money."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    idempotency_key: str | None = Field(
        default=None,
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="the same key with the same body gives the first answer again",
    )


#: Error responses of all routes of the public API; routes add their own.
COMMON_RESPONSES: ResponseDict = {
    "400": ErrorBody,
    "401": ErrorBody,
    "429": ErrorBody,
    "500": ErrorBody,
    "503": ErrorBody,
}

#: The same for routes that need no session.
GUEST_RESPONSES: ResponseDict = {status: body for status, body in COMMON_RESPONSES.items() if status != "401"}

#: The security requirement of a route that needs a session.
SESSION: list[dict[str, list[Any]]] = [{"session": []}]
