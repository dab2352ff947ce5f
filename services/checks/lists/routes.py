"""The routes of the lists: active checks and the history. The gateway forwards these paths unchanged."""

from datetime import datetime
from typing import Any, cast

from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from common.http.server.endpoint import user_only
from common.http.server.request import Request
from common.http.server.response import Response, render
from common.http.server.schemas import COMMON_RESPONSES, SESSION, ErrorBody, PageQuery, utc
from services.checks.context import Context
from services.checks.lists import service
from services.checks.lists.schemas import ActiveList, CheckView, HistoryCheck, HistoryList, HistoryQuery
from services.checks.models import Check, CheckStatus, HistoryLine, HistoryType, Result, number_of
from services.checks.responses import active_check
from services.checks.schemas import ActiveCheck, NumberPath

public = APIBlueprint(
    "lists", __name__, abp_tags=[Tag(name="FastChecks")], abp_security=SESSION, abp_responses=COMMON_RESPONSES
)


@public.get("/fastcheck/active", responses={"200": ActiveList})
@user_only
def list_active(context: Context, request: Request, query: PageQuery) -> Response:
    """List own active checks, newest first."""
    page = service.list_active(context, request.user_id, query.limit, query.cursor)
    now = context.clock.now()
    return render(ActiveList(checks=[_as_active(result, now) for result in page.items], next_cursor=page.next_cursor))


@public.get("/fastcheck/history", responses={"200": HistoryList})
@user_only
def list_history(context: Context, request: Request, query: HistoryQuery) -> Response:
    """List used, expired and cancelled checks that the caller created or accepted, last ended first."""
    page = service.list_history(
        context,
        request.user_id,
        only_type=query.type,
        only_ending=query.status,
        limit=query.limit,
        cursor=query.cursor,
        since=query.since,
        until=query.until,
    )
    return render(HistoryList(checks=[_as_history(line) for line in page.items], next_cursor=page.next_cursor))


@public.get("/fastcheck/<fastcheck>", responses={"200": CheckView, "404": ErrorBody})
@user_only
def get_check(context: Context, request: Request, path: NumberPath) -> Response:
    """Return a check that the caller created or accepted."""
    role, result = service.get_check(context, request.user_id, number_of(path.fastcheck))
    return render(_as_view(role, result, context.clock.now()))


def _as_view(role: HistoryType, result: Result, now: datetime) -> CheckView:
    check, status = result.check, result.check.status_at(now)
    times: dict[str, Any] = {}
    if role is HistoryType.ACCEPTED:
        times = {"accepted_at": utc(check.closes_at)}
    elif status is CheckStatus.ACTIVE:
        times = {"created_at": utc(check.created_at), "expiration": utc(check.expires_at)}
        times |= _freeze(check, now)
    else:
        times = {"created_at": utc(check.created_at), f"{status.value}_at": utc(check.closes_at)}
    return CheckView(
        fastcheck=check.fastcheck,
        amount=check.amount_minor,
        currency=check.currency,
        type=role,
        status=cast("Any", status.value),
        note=check.note,
        code=result.code,
        **times,
    )


def _as_active(result: Result, now: datetime) -> ActiveCheck:
    return active_check(result).model_copy(update=_freeze(result.check, now))


def _freeze(check: Check, now: datetime) -> dict[str, Any]:
    """Return how long the check is frozen: until a time, or until its code changes."""
    if check.code_change_required:
        return {"code_change_required": True}
    if check.frozen_until is not None and check.frozen_until > now:
        return {"frozen_until": utc(check.frozen_until)}
    return {}


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
        note=check.note,
        **times,
    )
