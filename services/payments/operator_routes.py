"""HTTP in, for the operator alone: top-ups with their story, refused notifications, refunds, comparison with a bank."""

from typing import Final
from uuid import uuid4

from flask_openapi3.blueprint import APIBlueprint

from common.http.server.context import context_of
from common.http.server.exchange import Answer, current
from common.http.server.identity import services_only
from common.http.server.parse import parsed, render
from common.http.server.schemas import utc
from services.payments import operations
from services.payments.banks.base import Notification
from services.payments.context import Context
from services.payments.models import Attempt
from services.payments.notifications.repository import StoredNotification
from services.payments.operator_schemas import (
    AskedView,
    AttemptView,
    DifferenceView,
    NotificationList,
    NotificationView,
    ReconciliationReport,
    ReconciliationRequest,
    RefundRequest,
    RefundView,
    RefusedQuery,
    SideView,
    TopUpStory,
)
from services.payments.reconciliation import service as reconciliation
from services.payments.reconciliation.models import Difference, OurPayment
from services.payments.reconciliation.service import WantedReport
from services.payments.refunds import service as refunds
from services.payments.refunds.models import Refund, WantedRefund
from services.payments.schemas import TopUpPath

internal = APIBlueprint("operator", __name__, url_prefix="/internal", doc_ui=False)

MAX_STATEMENT_BYTES: Final = 32 * 1024 * 1024


@internal.before_request
def _take_whole_statements() -> None:
    current().max_body_bytes = MAX_STATEMENT_BYTES


@internal.get("/topups/<transactionID>")
@services_only("operator")
@parsed
def show_topup(path: TopUpPath) -> Answer:
    """A top-up with its attempts, notifications and refunds."""
    story = operations.story(context_of(Context), path.transaction_id)
    topup = story.topup
    return render(
        TopUpStory(
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
            attempts=[_attempt(attempt) for attempt in story.attempts],
            notifications=[_notification(notification) for notification in story.notifications],
            refunds=[_refund(refund) for refund in story.refunds],
        )
    )


@internal.post("/topups/<transactionID>/polls")
@services_only("operator")
@parsed
def ask_bank(path: TopUpPath) -> Answer:
    """Ask the bank now, and take its word."""
    return render(AskedView(answer=operations.ask_now(context_of(Context), path.transaction_id)))


@internal.post("/topups/<transactionID>/refunds")
@services_only("operator")
@parsed
def refund_topup(path: TopUpPath, body: RefundRequest) -> Answer:
    """Take money off the user's balance and give it back to the card; 202 while it is not over."""
    wanted = WantedRefund(
        refund_id=body.refund_id or uuid4(),
        topup_id=path.transaction_id,
        amount_minor=body.amount,
        operator=body.operator,
        reason=body.reason,
    )
    refund = refunds.request_refund(context_of(Context), wanted)
    return render(_refund(refund), 200 if refund.is_finished else 202)


@internal.get("/notifications/refused")
@services_only("operator")
@parsed
def list_refused(query: RefusedQuery) -> Answer:
    """What came in the name of a bank and was not acted on, newest first."""
    page = operations.list_refused(context_of(Context), query.bank, query.limit, query.cursor)
    return render(
        NotificationList(notifications=[_notification(item) for item in page.items], next_cursor=page.next_cursor)
    )


@internal.post("/reconciliations")
@services_only("operator")
@parsed
def reconcile(body: ReconciliationRequest) -> Answer:
    """Compare our payments with the bank's; with ``apply`` the bank is asked about what differs."""
    context = context_of(Context)
    wanted = WantedReport(body.bank, body.since, body.until, body.statement)
    report = reconciliation.reconcile(context, wanted)
    if body.apply:
        report = reconciliation.apply(context, report, wanted, operator=body.operator, reason=body.reason)
    return render(
        ReconciliationReport(
            bank=body.bank,
            source=report.source,
            compared=report.compared,
            differences=[_difference(difference) for difference in report.differences],
        )
    )


def _attempt(attempt: Attempt) -> AttemptView:
    return AttemptView(order_id=attempt.bank_order_id, payment_id=attempt.bank_payment_id, state=attempt.state)


def _refund(refund: Refund) -> RefundView:
    return RefundView(
        refund_id=str(refund.refund_id),
        transaction_id=str(refund.topup_id),
        amount=refund.amount_minor,
        status=refund.status,
        note=refund.note,
        created_at=utc(refund.created_at),
        finished_at=utc(refund.finished_at) if refund.finished_at else None,
    )


def _notification(item: StoredNotification) -> NotificationView:
    return NotificationView(
        notification_id=item.notification_id,
        bank=item.bank,
        source=item.source,
        verdict=item.verdict,
        payment_id=item.bank_payment_id,
        order_id=item.bank_order_id,
        bank_status=item.bank_status,
        amount=item.amount_minor,
        currency=item.currency,
        transaction_id=str(item.topup_id) if item.topup_id else None,
        address=item.address,
        headers=item.headers,
        body=item.body,
        times=item.times,
        first_received_at=utc(item.first_received_at),
        last_received_at=utc(item.last_received_at),
    )


def _difference(difference: Difference) -> DifferenceView:
    ours, theirs = difference.ours, difference.theirs
    return DifferenceView(
        kind=difference.kind,
        payment_id=(theirs.bank_payment_id or None) if theirs else ours.bank_payment_id if ours else None,
        order_id=ours.bank_order_id if ours else theirs.order_id if theirs else None,
        transaction_id=str(ours.topup_id) if ours else None,
        ours=_our_side(ours) if ours else None,
        theirs=_their_side(theirs) if theirs else None,
        applied=difference.applied,
    )


def _our_side(ours: OurPayment) -> SideView:
    return SideView(amount=ours.amount_minor, currency=ours.currency, status=ours.status)


def _their_side(theirs: Notification) -> SideView:
    return SideView(amount=theirs.amount_minor, currency=theirs.currency, status=theirs.bank_status)
