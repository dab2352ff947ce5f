"""HTTP in: an operator's refunds."""

from uuid import uuid4

from flask_openapi3.blueprint import APIBlueprint

from common.http.server.endpoint import services_only
from common.http.server.response import Response, render
from services.payments.context import Context
from services.payments.refunds import service
from services.payments.refunds.models import NewRefund
from services.payments.refunds.schemas import RefundRequest, RefundView
from services.payments.topups.schemas import TopUpPath

internal = APIBlueprint("operator_refunds", __name__, url_prefix="/internal", doc_ui=False)


@internal.post("/topups/<transactionID>/refunds")
@services_only("operator")
def refund_topup(context: Context, path: TopUpPath, body: RefundRequest) -> Response:
    """Take money off the user's balance and give it back to the card; 202 while it is not over."""
    wanted = NewRefund(
        refund_id=body.refund_id or uuid4(),
        topup_id=path.transaction_id,
        amount_minor=body.amount,
        operator=body.operator,
        reason=body.reason,
    )
    refund = service.request_refund(context, wanted)
    return render(RefundView.of(refund), 200 if refund.is_finished else 202)
