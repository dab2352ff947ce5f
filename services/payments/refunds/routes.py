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
    """Refund a top-up to the card and debit the user's balance; 202 while the refund is in progress."""
    new_refund = NewRefund(
        refund_id=body.refund_id or uuid4(),
        topup_id=path.transaction_id,
        amount_minor=body.amount,
        operator=body.operator,
        reason=body.reason,
    )
    refund = service.request_refund(context, new_refund)
    return render(RefundView.of(refund), 200 if refund.is_finished else 202)
