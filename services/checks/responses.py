"""The parts of requests and responses that several capabilities share: keys, replays, a check with its code."""

from pydantic import BaseModel

from common.db.idempotency import REPLAYED_HEADER, IdempotencyKey
from common.http.server.request import Request
from common.http.server.response import Response, render
from common.http.server.schemas import IdempotencyHeader, utc
from services.checks.models import Result
from services.checks.schemas import ActiveCheck


def idempotency_key(
    request: Request, header: IdempotencyHeader, operation: str, model: BaseModel
) -> IdempotencyKey | None:
    return IdempotencyKey.of(request.user_id, operation, header.idempotency_key, model.model_dump_json().encode())


def respond(view: BaseModel, result: Result, status: int = 200) -> Response:
    answer = render(view, status)
    if result.replayed:
        answer.headers[REPLAYED_HEADER] = "true"
    return answer


def active_check(result: Result) -> ActiveCheck:
    """Return the check as active, as it was when the code was reported; a replayed response is the same."""
    check = result.check
    return ActiveCheck(
        fastcheck=check.fastcheck,
        amount=check.amount_minor,
        currency=check.currency,
        code=str(result.code),
        note=check.note,
        created_at=utc(check.created_at),
        expiration=utc(check.expires_at),
    )
