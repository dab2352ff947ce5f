"""HTTP in: the section "FastChecks" of the public API. The gateway passes these paths on as they are."""

from datetime import datetime
from typing import Final

from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from flask_openapi3.types import ResponseDict
from pydantic import BaseModel

from common.db.idempotency import REPLAYED_HEADER, IdempotencyKey
from common.http.server.context import context_of
from common.http.server.exchange import Answer, direct
from common.http.server.identity import caller_user_id, user_only
from common.http.server.parse import parsed, render
from common.http.server.schemas import COMMON_RESPONSES, SESSION, ErrorBody, IdempotencyHeader, PageQuery, utc
from services.checks import lists, service
from services.checks.context import Context
from services.checks.models import HistoryLine, HistoryType, Order, Result, number_of
from services.checks.schemas import (
    AcceptedCheck,
    ActiveCheck,
    ActiveList,
    CancelledCheck,
    CreateRequest,
    HistoryCheck,
    HistoryList,
    HistoryQuery,
    NumberAndCode,
    NumberPath,
    PreviewedCheck,
    QrQuery,
)

public = APIBlueprint(
    "public", __name__, abp_tags=[Tag(name="FastChecks")], abp_security=SESSION, abp_responses=COMMON_RESPONSES
)

_PICTURE: Final = {"description": "the picture", "content": {"image/svg+xml": {"schema": {"type": "string"}}}}
_REFUSALS: Final[ResponseDict] = {"404": ErrorBody, "409": ErrorBody}
_REFUSALS_UNDER_A_KEY: Final[ResponseDict] = {**_REFUSALS, "422": ErrorBody}


@public.post("/fastcheck", responses={"201": ActiveCheck, "409": ErrorBody, "422": ErrorBody})
@direct
@user_only
@parsed
def create_check(header: IdempotencyHeader, body: CreateRequest) -> Answer:
    """Write a check: its money leaves the balance and waits for whoever enters number and code."""
    order = Order(body.amount, body.currency, body.note, body.expires_in)
    result = service.create_check(context_of(Context), caller_user_id(), order, _key(header, "create", body))
    return _answer(_as_created(result), result, status=201)


@public.get("/fastcheck/active", responses={"200": ActiveList})
@user_only
@parsed
def list_active(query: PageQuery) -> Answer:
    """The caller's own checks that nobody has used and that have not expired, newest first."""
    context = context_of(Context)
    page = lists.list_active(context, caller_user_id(), query.limit, query.cursor)
    now = context.clock.now()
    return render(ActiveList(checks=[_as_active(result, now) for result in page.items], next_cursor=page.next_cursor))


@public.post("/fastcheck/accept", responses={"200": AcceptedCheck, **_REFUSALS_UNDER_A_KEY, "410": ErrorBody})
@direct
@user_only
@parsed
def accept_check(header: IdempotencyHeader, body: NumberAndCode) -> Answer:
    """Accept a check: its money is the caller's, once and for ever."""
    result = service.accept_check(
        context_of(Context), caller_user_id(), number_of(body.fastcheck), body.code, _key(header, "accept", body)
    )
    check = result.check
    accepted = AcceptedCheck(
        fastcheck=check.fastcheck,
        amount=check.amount_minor,
        currency=check.currency,
        accepted_at=utc(check.closes_at),
    )
    return _answer(accepted, result)


@public.post("/fastcheck/preview", responses={"200": PreviewedCheck, **_REFUSALS, "410": ErrorBody})
@user_only
@parsed
def preview_check(body: NumberAndCode) -> Answer:
    """Look at a check before accepting it; a wrong code counts as it does for accepting."""
    check = service.preview_check(context_of(Context), caller_user_id(), number_of(body.fastcheck), body.code)
    return render(
        PreviewedCheck(
            fastcheck=check.fastcheck,
            amount=check.amount_minor,
            currency=check.currency,
            expiration=utc(check.expires_at),
            note=check.note,
        )
    )


@public.post("/fastcheck/<fastcheck>/cancel", responses={"200": CancelledCheck, **_REFUSALS_UNDER_A_KEY})
@user_only
@parsed
def cancel_check(path: NumberPath, header: IdempotencyHeader) -> Answer:
    """Take a check back: its money is on the creator's balance again."""
    result = service.cancel_check(
        context_of(Context), caller_user_id(), number_of(path.fastcheck), _key(header, "cancel", path)
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
    return _answer(cancelled, result)


@public.post("/fastcheck/<fastcheck>/code", responses={"200": ActiveCheck, **_REFUSALS_UNDER_A_KEY})
@user_only
@parsed
def change_code(path: NumberPath, header: IdempotencyHeader) -> Answer:
    """Give a check a new code: the old one stops working at once."""
    result = service.change_code(
        context_of(Context), caller_user_id(), number_of(path.fastcheck), _key(header, "code", path)
    )
    return _answer(_as_created(result), result)


@public.get("/fastcheck/history", responses={"200": HistoryList})
@user_only
@parsed
def list_history(query: HistoryQuery) -> Answer:
    """Used, expired and cancelled checks that the caller created or accepted, last ended first."""
    context = context_of(Context)
    page = lists.list_history(
        context,
        caller_user_id(),
        only_type=query.type,
        only_ending=query.status,
        limit=query.limit,
        cursor=query.cursor,
    )
    return render(HistoryList(checks=[_as_history(line) for line in page.items], next_cursor=page.next_cursor))


@public.get("/fastcheck/<fastcheck>/qr.svg", responses={"200": _PICTURE, **_REFUSALS})
@user_only
@parsed
def draw_qr(path: NumberPath, query: QrQuery) -> Answer:
    """A QR code of the link that opens the accept page filled in; for the creator alone."""
    picture = service.draw_qr(
        context_of(Context), caller_user_id(), number_of(path.fastcheck), with_code=query.with_code
    )
    return Answer(200, picture, {"Content-Type": "image/svg+xml; charset=utf-8", "Cache-Control": "no-store"})


def _key(header: IdempotencyHeader, operation: str, request: BaseModel) -> IdempotencyKey | None:
    return IdempotencyKey.of(caller_user_id(), operation, header.idempotency_key, request.model_dump_json().encode())


def _answer(view: BaseModel, result: Result, status: int = 200) -> Answer:
    answer = render(view, status)
    if result.replayed:
        answer.headers[REPLAYED_HEADER] = "true"
    return answer


def _as_created(result: Result) -> ActiveCheck:
    """As it was when its code was shown: a repeat tells the same, whatever has become of the check since."""
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


def _as_active(result: Result, now: datetime) -> ActiveCheck:
    frozen_until = result.check.frozen_until
    if frozen_until is None or frozen_until <= now:
        return _as_created(result)
    return _as_created(result).model_copy(update={"frozen_until": utc(frozen_until)})


def _as_history(line: HistoryLine) -> HistoryCheck:
    check, ended_at = line.check, utc(line.check.closes_at)
    if line.type is HistoryType.ACCEPTED:
        times = {"accepted_at": ended_at}
    else:
        times = {"created_at": utc(check.created_at), f"{line.ending.value}_at": ended_at}
    return HistoryCheck(
        fastcheck=check.fastcheck,
        amount=check.amount_minor,
        currency=check.currency,
        type=line.type,
        status=line.ending,
        **times,
    )
