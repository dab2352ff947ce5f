"""HTTP in: an operator's poll."""

from flask_openapi3.blueprint import APIBlueprint

from common.http.server.context import context_of
from common.http.server.exchange import Answer
from common.http.server.identity import services_only
from common.http.server.parse import parsed, render
from services.payments.context import Context
from services.payments.polling import service
from services.payments.polling.schemas import PollView
from services.payments.topups.schemas import TopUpPath

internal = APIBlueprint("operator_polls", __name__, url_prefix="/internal", doc_ui=False)


@internal.post("/topups/<transactionID>/polls")
@services_only("operator")
@parsed
def ask_bank(path: TopUpPath) -> Answer:
    """Ask the bank now, and take its word."""
    return render(PollView(answer=service.poll_now(context_of(Context), path.transaction_id)))
