"""HTTP in: an operator's poll."""

from flask_openapi3.blueprint import APIBlueprint

from common.http.server.endpoint import services_only
from common.http.server.response import Response, render
from services.payments.context import Context
from services.payments.polling import service
from services.payments.polling.schemas import PollView
from services.payments.topups.schemas import TopUpPath

internal = APIBlueprint("operator_polls", __name__, url_prefix="/internal", doc_ui=False)


@internal.post("/topups/<transactionID>/polls")
@services_only("operator")
def poll_topup(context: Context, path: TopUpPath) -> Response:
    """Poll the bank now and apply its status report."""
    return render(PollView(answer=service.poll_now(context, path.transaction_id)))
