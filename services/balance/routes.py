"""HTTP routes: balance and statement of a user, and the commands of checks and payments."""

from collections.abc import Callable, Sequence

from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from common.core.grouping import Alone
from common.core.logging import get_logger
from common.db.engine import Database
from common.http.server.endpoint import services_only, user_only
from common.http.server.request import Request
from common.http.server.response import Response, render
from common.http.server.schemas import COMMON_RESPONSES, SESSION, utc
from services.balance import log_events, service
from services.balance.context import Context
from services.balance.models import Posting, StatementLine, TransferKind
from services.balance.schemas import (
    BalanceQuery,
    BalanceView,
    Batch,
    BatchView,
    HoldRequest,
    ItemOutcome,
    RefundRequest,
    ReleaseRequest,
    SettlementRequest,
    StatementEntry,
    StatementQuery,
    StatementView,
)

log = get_logger(__name__)

public = APIBlueprint(
    "public", __name__, abp_tags=[Tag(name="Balance")], abp_security=SESSION, abp_responses=COMMON_RESPONSES
)
internal = APIBlueprint("internal", __name__, url_prefix="/internal", doc_ui=False)


@public.get("/balance", responses={"200": BalanceView})
@user_only
def get_balance(context: Context, request: Request, query: BalanceQuery) -> Response:
    """Return the balance of the signed-in user."""
    balance = service.get_balance(context.db, context.clock, request.user_id, query.currency, query.at)
    return render(BalanceView(balance=balance, currency=query.currency))


@public.get("/balance/history", responses={"200": StatementView})
@user_only
def get_statement(context: Context, request: Request, query: StatementQuery) -> Response:
    """Return the statement: every change of the balance, newest first."""
    page = service.get_statement(
        context.db,
        request.user_id,
        query.currency,
        query.limit,
        query.cursor,
        since=query.since,
        until=query.until,
    )
    return render(StatementView(entries=[_entry(line) for line in page.items], next_cursor=page.next_cursor))


@internal.post("/holds")
@services_only("checks")
def hold(context: Context, body: HoldRequest) -> Response:
    """Hold a check's money."""
    service.hold(context, _posting(TransferKind.CHECK_CREATED, body))
    return Response(204)


@internal.post("/holds:batch")
@services_only("checks")
def hold_many(context: Context, body: Batch) -> Response:
    """Hold the money of the checks of concurrent requests, in one transaction."""
    return _run_batch(context, body, TransferKind.CHECK_CREATED, service.debit_many)


@internal.post("/settlements")
@services_only("checks")
def settle(context: Context, body: SettlementRequest) -> Response:
    """Settle a check: credit its money to the acceptor."""
    service.end_hold(context, _posting(TransferKind.CHECK_ACCEPTED, body))
    return Response(204)


@internal.post("/settlements:batch")
@services_only("checks")
def settle_many(context: Context, body: Batch) -> Response:
    """Settle the checks of concurrent requests, in one transaction."""
    return _run_batch(context, body, TransferKind.CHECK_ACCEPTED, service.credit_many)


@internal.post("/releases")
@services_only("checks")
def release(context: Context, body: ReleaseRequest) -> Response:
    """Release a check: return its money to the creator."""
    kind = TransferKind.CHECK_CANCELLED if body.reason == "cancelled" else TransferKind.CHECK_EXPIRED
    service.end_hold(context, _posting(kind, body))
    return Response(204)


@internal.post("/topup-refunds")
@services_only("payments")
def take_refund(context: Context, body: RefundRequest) -> Response:
    """Debit the money of a refund, before the bank pays it to the user's card."""
    service.debit(context.db, _refund_posting(TransferKind.TOPUP_REFUNDED, body))
    return Response(204)


@internal.post("/topup-refund-returns")
@services_only("payments")
def return_refund(context: Context, body: RefundRequest) -> Response:
    """Return the money of a refund that the bank rejected, as a top-up caused by the refund."""
    service.credit(context.db, _refund_posting(TransferKind.TOPUP, body))
    return Response(204)


def _run_batch(
    context: Context,
    batch: Batch,
    kind: TransferKind,
    run_many: Callable[[Database, Sequence[Posting]], Sequence[Alone | None]],
) -> Response:
    outcomes = run_many(context.db, [_posting(kind, item) for item in batch.items])
    links = [{"request_id": item.request_id, "traceparent": item.traceparent} for item in batch.items]
    log.info(log_events.COMMANDS_EXECUTED, kind=kind.value, alone=len(outcomes) - outcomes.count(None), links=links)
    return render(BatchView(outcomes=[ItemOutcome.DONE if each is None else ItemOutcome.ALONE for each in outcomes]))


def _refund_posting(kind: TransferKind, body: RefundRequest) -> Posting:
    return Posting(kind, body.refund_id, body.user_id, body.amount, body.currency, str(body.transaction_id))


def _posting(kind: TransferKind, body: HoldRequest) -> Posting:
    return Posting(kind, body.check_id, body.user_id, body.amount, body.currency, body.fastcheck)


def _entry(line: StatementLine) -> StatementEntry:
    of_topup = line.kind in (TransferKind.TOPUP, TransferKind.TOPUP_REFUNDED)
    return StatementEntry(
        entry_id=str(line.entry_id),
        kind=TransferKind(line.kind),
        amount=line.amount_minor,
        balance_after=line.balance_after,
        currency=line.currency,
        fastcheck=None if of_topup else line.reference,
        transaction_id=line.reference if of_topup else None,
        created_at=utc(line.created_at),
    )
