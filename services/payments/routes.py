"""HTTP in: the user's top-ups, the bank's notifications, and the browser that comes back from the bank."""

from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from werkzeug import Request

from common.db.idempotency import REPLAYED_HEADER, IdempotencyKey
from common.http.server.body import read_body
from common.http.server.context import context_of
from common.http.server.exchange import Answer, current
from common.http.server.identity import caller_user_id, services_only, user_only
from common.http.server.parse import parsed, render
from common.http.server.schemas import COMMON_RESPONSES, SESSION, ErrorBody, IdempotencyHeader, PageQuery, utc
from services.payments import service
from services.payments.context import Context
from services.payments.models import TopUp, public_status
from services.payments.notifications import service as notifications
from services.payments.opening import OPERATION, WantedTopUp
from services.payments.schemas import BankPath, StartedTopUp, TopUpList, TopUpPath, TopUpRequest, TopUpView

public = APIBlueprint(
    "public", __name__, abp_tags=[Tag(name="Top-up")], abp_security=SESSION, abp_responses=COMMON_RESPONSES
)
banks = APIBlueprint(
    "banks", __name__, abp_tags=[Tag(name="Bank")], abp_responses={**COMMON_RESPONSES, "404": ErrorBody}
)


@public.post(
    "/topup",
    responses={"201": StartedTopUp, "409": ErrorBody, "422": ErrorBody, "502": ErrorBody},
)
@user_only
@parsed
def create_topup(body: TopUpRequest, header: IdempotencyHeader) -> Answer:
    """Start a top-up: the answer says where the user pays."""
    user_id = caller_user_id()
    asked = f"{body.amount}|{body.currency}|{body.return_url}".encode()
    key = IdempotencyKey.of(user_id, OPERATION, header.idempotency_key, asked)
    wanted = WantedTopUp(user_id, body.amount, body.currency, body.return_url)
    opened = service.start_topup(context_of(Context), wanted, key)
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
@parsed
def list_topups(query: PageQuery) -> Answer:
    """The signed-in user's top-ups, newest first."""
    page = service.list_topups(context_of(Context), caller_user_id(), query.limit, query.cursor)
    return render(TopUpList(topups=[_view(topup) for topup in page.items], next_cursor=page.next_cursor))


@public.get("/topup/<transactionID>", responses={"200": TopUpView, "404": ErrorBody})
@user_only
@parsed
def get_topup(path: TopUpPath) -> Answer:
    """One top-up of the signed-in user."""
    return render(_view(service.get_topup(context_of(Context), path.transaction_id, caller_user_id())))


@banks.get("/topup/<transactionID>/return", responses={"303": None})
@services_only("gateway")
@parsed
def return_from_bank(path: TopUpPath) -> Answer:
    """Where the bank sends the browser: the bank is asked how it went, and the browser goes on to ``returnUrl``."""
    target = service.return_browser(context_of(Context), path.transaction_id)
    return Answer(303, headers={"Location": target, "Cache-Control": "no-store"})


@banks.post("/bank/webhook/<bank>", responses={"200": None, "403": ErrorBody, "409": ErrorBody})
@services_only("gateway")
@parsed
def bank_webhook(path: BankPath) -> Answer:
    """Notifications of a bank, signed by it or asked back for."""
    return _webhook(path.bank)


@banks.get("/bank/webhook/<bank>", responses={"200": None, "403": ErrorBody, "409": ErrorBody})
@services_only("gateway")
@parsed
def bank_webhook_by_get(path: BankPath) -> Answer:
    """The same, for banks whose protocol notifies by GET."""
    return _webhook(path.bank)


def _webhook(bank: str) -> Answer:
    request = Request(current().environ)
    taken = notifications.take(
        context_of(Context),
        bank,
        method=request.method,
        headers=dict(request.headers),
        raw_body=read_body(),
        query=request.args.to_dict(flat=False),
        # The caller is the gateway: its word on the address is good.
        client_ip=request.headers.get("X-Client-Address", ""),
    )
    return Answer(taken.status, taken.body, {"Content-Type": taken.content_type})


def _view(topup: TopUp) -> TopUpView:
    return TopUpView(
        transaction_id=str(topup.topup_id),
        amount=topup.amount_minor,
        currency=topup.currency,
        status=public_status(topup.status),
        created_at=utc(topup.created_at),
        confirmed_at=utc(topup.confirmed_at) if topup.confirmed_at else None,
    )
