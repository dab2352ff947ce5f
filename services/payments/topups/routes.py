"""HTTP in: the user's top-ups, and the operator's view of one."""

from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from common.db.idempotency import REPLAYED_HEADER, IdempotencyKey
from common.http.server.endpoint import services_only, user_only
from common.http.server.request import Request
from common.http.server.response import Response, render
from common.http.server.schemas import COMMON_RESPONSES, SESSION, ErrorBody, IdempotencyHeader, PageQuery, utc
from services.payments.context import Context
from services.payments.notifications.schemas import NotificationView
from services.payments.refunds.schemas import RefundView
from services.payments.topups import service
from services.payments.topups.opening import OPERATION, NewTopUp
from services.payments.topups.schemas import (
    AttemptView,
    StartedTopUp,
    TopUpDetailsView,
    TopUpList,
    TopUpPath,
    TopUpRequest,
    TopUpView,
)

public = APIBlueprint(
    "public", __name__, abp_tags=[Tag(name="Top-up")], abp_security=SESSION, abp_responses=COMMON_RESPONSES
)
internal = APIBlueprint("operator_topups", __name__, url_prefix="/internal", doc_ui=False)


@public.post(
    "/topup",
    responses={"201": StartedTopUp, "409": ErrorBody, "422": ErrorBody, "502": ErrorBody},
)
@user_only
def create_topup(context: Context, request: Request, body: TopUpRequest, header: IdempotencyHeader) -> Response:
    """Start a top-up. The response contains the URL of the payment page."""
    user_id = request.user_id
    asked = f"{body.amount}|{body.currency}|{body.return_url}".encode()
    key = IdempotencyKey.of(user_id, OPERATION, header.idempotency_key, asked)
    new_topup = NewTopUp(user_id, body.amount, body.currency, body.return_url)
    opened = service.start_topup(context, new_topup, key)
    answer = render(
        StartedTopUp(
            transaction_id=str(opened.topup.topup_id),
            amount=opened.topup.amount_minor,
            currency=opened.topup.currency,
            status="pending",
            payment_url=opened.payment_url,
            created_at=utc(opened.topup.created_at),
        ),
        201,
    )
    if opened.replayed:
        answer.headers[REPLAYED_HEADER] = "true"
    return answer


@public.get("/topup", responses={"200": TopUpList})
@user_only
def list_topups(context: Context, request: Request, query: PageQuery) -> Response:
    """List the signed-in user's top-ups, newest first."""
    page = service.list_topups(context, request.user_id, query.limit, query.cursor)
    return render(TopUpList(topups=[TopUpView.of(topup) for topup in page.items], next_cursor=page.next_cursor))


@public.get("/topup/<transactionID>", responses={"200": TopUpView, "404": ErrorBody})
@user_only
def get_topup(context: Context, request: Request, path: TopUpPath) -> Response:
    """Return one of the signed-in user's top-ups."""
    return render(TopUpView.of(*service.get_topup(context, path.transaction_id, request.user_id)))


@internal.get("/topups/<transactionID>")
@services_only("operator")
def show_topup(context: Context, path: TopUpPath) -> Response:
    """Return a top-up with its attempts, notifications and refunds."""
    details = service.get_details(context, path.transaction_id)
    topup = details.topup
    return render(
        TopUpDetailsView(
            transaction_id=str(topup.topup_id),
            user_id=str(topup.user_id),
            bank=topup.bank,
            amount=topup.amount_minor,
            refunded=topup.refunded_minor,
            currency=topup.currency,
            status=topup.status,
            created_at=utc(topup.created_at),
            expires_at=utc(topup.expires_at),
            confirmed_at=utc(topup.confirmed_at) if topup.confirmed_at else None,
            polls=topup.polls,
            attempts=[AttemptView.of(attempt) for attempt in details.attempts],
            notifications=[NotificationView.of(notification) for notification in details.notifications],
            refunds=[RefundView.of(refund) for refund in details.refunds],
        )
    )
