"""HTTP in: an operator's reconciliation with a bank."""

from typing import Final

from flask_openapi3.blueprint import APIBlueprint

from common.http.server.endpoint import services_only
from common.http.server.response import Response, render
from services.payments.context import Context
from services.payments.reconciliation import service
from services.payments.reconciliation.schemas import DifferenceView, ReconciliationReport, ReconciliationRequest
from services.payments.reconciliation.service import ReconciliationQuery

internal = APIBlueprint("operator_reconciliation", __name__, url_prefix="/internal", doc_ui=False)

MAX_STATEMENT_BYTES: Final = 32 * 1024 * 1024


@internal.post("/reconciliations")
@services_only("operator", max_body_bytes=MAX_STATEMENT_BYTES)
def reconcile(context: Context, body: ReconciliationRequest) -> Response:
    """Reconcile with a bank; with ``apply``, poll the bank for each difference."""
    query = ReconciliationQuery(body.bank, body.since, body.until, body.statement)
    report = service.reconcile(context, query)
    if body.apply:
        report = service.apply(context, report, query, operator=body.operator, reason=body.reason)
    return render(
        ReconciliationReport(
            bank=body.bank,
            source=report.source,
            compared=report.compared,
            differences=[DifferenceView.of(difference) for difference in report.differences],
        )
    )
