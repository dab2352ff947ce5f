"""HTTP in: notifications of banks, the browser's return from the bank, and rejected notifications for operators."""

from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from werkzeug import Request as WerkzeugRequest

from common.http.server.endpoint import services_only
from common.http.server.request import Request
from common.http.server.request_body import read_body
from common.http.server.response import Response, render
from common.http.server.schemas import GUEST_RESPONSES, ErrorBody
from services.payments.context import Context
from services.payments.notifications import service
from services.payments.notifications.schemas import BankPath, NotificationList, NotificationView, RefusedQuery
from services.payments.polling.service import return_browser
from services.payments.topups.schemas import TopUpPath

banks = APIBlueprint(
    "banks", __name__, abp_tags=[Tag(name="Bank")], abp_responses={**GUEST_RESPONSES, "404": ErrorBody}
)
internal = APIBlueprint("operator_notifications", __name__, url_prefix="/internal", doc_ui=False)


@banks.get("/topup/<transactionID>/return", responses={"303": None})
@services_only("gateway")
def return_from_bank(context: Context, path: TopUpPath) -> Response:
    """Poll the bank when the browser returns from its page, and redirect the browser to ``returnUrl``."""
    target = return_browser(context, path.transaction_id)
    return Response(303, headers={"Location": target, "Cache-Control": "no-store"})


@banks.post("/bank/webhook/<bank>", responses={"200": None, "403": ErrorBody, "409": ErrorBody})
@services_only("gateway")
def bank_webhook(context: Context, request: Request, path: BankPath) -> Response:
    """Receive a notification of a bank, which is signed or confirmed with the bank."""
    return _webhook(context, request, path.bank)


@banks.get("/bank/webhook/<bank>", responses={"200": None, "403": ErrorBody, "409": ErrorBody})
@services_only("gateway")
def bank_webhook_by_get(context: Context, request: Request, path: BankPath) -> Response:
    """Receive a notification of a bank whose protocol uses GET."""
    return _webhook(context, request, path.bank)


@internal.get("/notifications/refused")
@services_only("operator")
def list_refused(context: Context, query: RefusedQuery) -> Response:
    """List rejected notifications, newest first."""
    page = service.list_refused(context, query.bank, query.limit, query.cursor)
    return render(
        NotificationList(notifications=[NotificationView.of(item) for item in page.items], next_cursor=page.next_cursor)
    )


def _webhook(context: Context, request: Request, bank: str) -> Response:
    incoming = WerkzeugRequest(request.environ)
    acknowledgement = service.receive(
        context,
        bank,
        method=incoming.method,
        headers=dict(incoming.headers),
        raw_body=read_body(request),
        query=incoming.args.to_dict(flat=False),
        # Only the gateway may call this route, so its header is trusted.
        client_ip=request.header("X-Client-Address") or "",
    )
    return Response(acknowledgement.status, acknowledgement.body, {"Content-Type": acknowledgement.content_type})
