"""The routes that change a check's code and draw its QR code. The gateway forwards these paths unchanged."""

from typing import Final

from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from flask_openapi3.types import ResponseDict

from common.http.server.endpoint import user_only
from common.http.server.request import Request
from common.http.server.response import Response
from common.http.server.schemas import COMMON_RESPONSES, SESSION, ErrorBody, IdempotencyHeader
from services.checks.codes import service
from services.checks.codes.schemas import QrQuery
from services.checks.context import Context
from services.checks.models import number_of
from services.checks.responses import active_check, idempotency_key, respond
from services.checks.schemas import ActiveCheck, NumberPath

public = APIBlueprint(
    "codes", __name__, abp_tags=[Tag(name="FastChecks")], abp_security=SESSION, abp_responses=COMMON_RESPONSES
)

_QR_CODE: Final = {"description": "the QR code", "content": {"image/svg+xml": {"schema": {"type": "string"}}}}
_REFUSALS: Final[ResponseDict] = {"404": ErrorBody, "409": ErrorBody}


@public.post("/fastcheck/<fastcheck>/code", responses={"200": ActiveCheck, **_REFUSALS, "422": ErrorBody})
@user_only
def change_code(context: Context, request: Request, path: NumberPath, header: IdempotencyHeader) -> Response:
    """Replace the code of an own check; the old code is invalid at once."""
    result = service.change_code(
        context, request.user_id, number_of(path.fastcheck), idempotency_key(request, header, "code", path)
    )
    return respond(active_check(result), result)


@public.get("/fastcheck/<fastcheck>/qr.svg", responses={"200": _QR_CODE, **_REFUSALS})
@user_only
def draw_qr(context: Context, request: Request, path: NumberPath, query: QrQuery) -> Response:
    """Return a QR code of the link to the accept page with the number filled in; for the creator only."""
    svg = service.draw_qr(context, request.user_id, number_of(path.fastcheck), with_code=query.with_code)
    return Response(200, svg, {"Content-Type": "image/svg+xml; charset=utf-8", "Cache-Control": "no-store"})
