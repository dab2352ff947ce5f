"""The routes of the lists: active checks and the history. The gateway forwards these paths unchanged."""

from datetime import datetime

from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from common.http.server.endpoint import user_only
from common.http.server.request import Request
from common.http.server.response import Response, render
from common.http.server.schemas import COMMON_RESPONSES, SESSION, PageQuery, utc
from services.checks.context import Context
from services.checks.lists import service
from services.checks.lists.schemas import ActiveList, HistoryCheck, HistoryList, HistoryQuery
from services.checks.models import HistoryLine, HistoryType, Result
from services.checks.responses import active_check
from services.checks.schemas import ActiveCheck

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
    )
    return render(HistoryList(checks=[_as_history(line) for line in page.items], next_cursor=page.next_cursor))


def _as_active(result: Result, now: datetime) -> ActiveCheck:
    frozen_until = result.check.frozen_until
    if frozen_until is None or frozen_until <= now:
        return active_check(result)
    return active_check(result).model_copy(update={"frozen_until": utc(frozen_until)})


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
