"""The routes that create, accept, preview and cancel checks. The gateway forwards these paths unchanged."""

from typing import Final

from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from flask_openapi3.types import ResponseDict

from common.http.server.endpoint import services_only, user_only
from common.http.server.request import Request
from common.http.server.response import Response, render
from common.http.server.schemas import COMMON_RESPONSES, GUEST_RESPONSES, SESSION, ErrorBody, IdempotencyHeader, utc
from services.checks.context import Context
from services.checks.lifecycle import service
from services.checks.lifecycle.schemas import (
    AcceptedCheck,
    CancelledCheck,
    CreateRequest,
    NumberAndCode,
    PreviewedCheck,
)
from services.checks.models import Check, Order, guest_of, number_of
from services.checks.responses import active_check, idempotency_key, respond
from services.checks.schemas import ActiveCheck, NumberPath

#: Set by the gateway alone, whose token is required.
CLIENT_ADDRESS_HEADER: Final = "X-Client-Address"

public = APIBlueprint(
    "lifecycle", __name__, abp_tags=[Tag(name="FastChecks")], abp_security=SESSION, abp_responses=COMMON_RESPONSES
)

#: Routes for recipients who have no session yet.
guests = APIBlueprint("guests", __name__, abp_tags=[Tag(name="FastChecks")], abp_responses=GUEST_RESPONSES)

_REFUSALS: Final[ResponseDict] = {"404": ErrorBody, "409": ErrorBody}
_REFUSALS_UNDER_A_KEY: Final[ResponseDict] = {**_REFUSALS, "422": ErrorBody}


@public.post("/fastcheck", responses={"201": ActiveCheck, "409": ErrorBody, "422": ErrorBody})
@user_only
def create_check(context: Context, request: Request, header: IdempotencyHeader, body: CreateRequest) -> Response:
    """Create a check: hold its amount until a user accepts it with number and code, or it ends."""
    order = Order(body.amount, body.currency, body.note, body.expires_in)
    result = service.create_check(context, request.user_id, order, idempotency_key(request, header, "create", body))
    return respond(active_check(result), result, status=201)


@public.post("/fastcheck/accept", responses={"200": AcceptedCheck, **_REFUSALS_UNDER_A_KEY, "410": ErrorBody})
@user_only
def accept_check(context: Context, request: Request, header: IdempotencyHeader, body: NumberAndCode) -> Response:
    """Accept a check: its amount is credited to the caller."""
    result = service.accept_check(
        context,
        request.user_id,
        number_of(body.fastcheck),
        body.code,
        idempotency_key(request, header, "accept", body),
        address=request.header(CLIENT_ADDRESS_HEADER),
    )
    check = result.check
    accepted = AcceptedCheck(
        fastcheck=check.fastcheck,
        amount=check.amount_minor,
        currency=check.currency,
        accepted_at=utc(check.closes_at),
    )
    return respond(accepted, result)


@public.post("/fastcheck/preview", responses={"200": PreviewedCheck, **_REFUSALS, "410": ErrorBody})
@user_only
def preview_check(context: Context, request: Request, body: NumberAndCode) -> Response:
    """Preview a check before accepting it; a wrong code counts as an attempt."""
    check = service.preview_check(
        context, request.user_id, number_of(body.fastcheck), body.code, request.header(CLIENT_ADDRESS_HEADER)
    )
    return render(_previewed(check))


@guests.post("/fastcheck/preview/guest", responses={"200": PreviewedCheck, **_REFUSALS, "410": ErrorBody})
@services_only("gateway")
def preview_as_guest(context: Context, request: Request, body: NumberAndCode) -> Response:
    """Preview a check without a session; a wrong code counts as an attempt of the client's address."""
    address = request.header(CLIENT_ADDRESS_HEADER)
    check = service.preview_check(context, guest_of(address or ""), number_of(body.fastcheck), body.code, address)
    return render(_previewed(check))


def _previewed(check: Check) -> PreviewedCheck:
    return PreviewedCheck(
        fastcheck=check.fastcheck,
        amount=check.amount_minor,
        currency=check.currency,
        expiration=utc(check.expires_at),
        note=check.note,
    )


@public.post("/fastcheck/<fastcheck>/cancel", responses={"200": CancelledCheck, **_REFUSALS_UNDER_A_KEY})
@user_only
def cancel_check(context: Context, request: Request, path: NumberPath, header: IdempotencyHeader) -> Response:
    """Cancel an own active check: its amount returns to the balance."""
    result = service.cancel_check(
        context, request.user_id, number_of(path.fastcheck), idempotency_key(request, header, "cancel", path)
    )
    check = result.check
    cancelled = CancelledCheck(
        fastcheck=check.fastcheck,
        amount=check.amount_minor,
        currency=check.currency,
        note=check.note,
        created_at=utc(check.created_at),
        cancelled_at=utc(check.closes_at),
    )
    return respond(cancelled, result)
