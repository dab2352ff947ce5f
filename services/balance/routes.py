"""HTTP in: the user's reads, and the commands of the checks service."""

from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from common.http.server.context import context_of
from common.http.server.exchange import Answer, direct
from common.http.server.identity import caller_user_id, services_only, user_only
from common.http.server.parse import parsed, render
from common.http.server.schemas import COMMON_RESPONSES, SESSION, utc
from services.balance import service
from services.balance.context import Context
from services.balance.models import Posting, StatementLine, TransferKind
from services.balance.schemas import (
    BalanceQuery,
    BalanceView,
    HoldRequest,
    RefundRequest,
    ReleaseRequest,
    SettlementRequest,
    StatementEntry,
    StatementQuery,
    StatementView,
)

public = APIBlueprint(
    "public", __name__, abp_tags=[Tag(name="Balance")], abp_security=SESSION, abp_responses=COMMON_RESPONSES
)
internal = APIBlueprint("internal", __name__, url_prefix="/internal", doc_ui=False)


@public.get("/balance", responses={"200": BalanceView})
@direct
@user_only
@parsed
def get_balance(query: BalanceQuery) -> Answer:
    """What the signed-in user is free to spend."""
    context = context_of(Context)
    balance = service.get_balance(context.db, context.clock, caller_user_id(), query.currency, query.at)
    return render(BalanceView(balance=balance, currency=query.currency))


@public.get("/balance/history", responses={"200": StatementView})
@user_only
@parsed
def get_statement(query: StatementQuery) -> Answer:
    """The statement: every change of the balance, newest first."""
    context = context_of(Context)
    page = service.get_statement(context.db, caller_user_id(), query.currency, query.limit, query.cursor)
    return render(StatementView(entries=[_entry(line) for line in page.items], next_cursor=page.next_cursor))


@internal.post("/holds")
@direct
@services_only("checks")
@parsed
def hold(body: HoldRequest) -> Answer:
    """Take a check's money from its creator."""
    service.debit(context_of(Context).db, _posting(TransferKind.CHECK_CREATED, body))
    return Answer(204)


@internal.post("/settlements")
@direct
@services_only("checks")
@parsed
def settle(body: SettlementRequest) -> Answer:
    """Pay a check's money to its acceptor."""
    service.credit(context_of(Context).db, _posting(TransferKind.CHECK_ACCEPTED, body))
    return Answer(204)


@internal.post("/releases")
@direct
@services_only("checks")
@parsed
def release(body: ReleaseRequest) -> Answer:
    """Give a check's money back to its creator."""
    kind = TransferKind.CHECK_CANCELLED if body.reason == "cancelled" else TransferKind.CHECK_EXPIRED
    service.credit(context_of(Context).db, _posting(kind, body))
    return Answer(204)


@internal.post("/topup-refunds")
@services_only("payments")
@parsed
def take_refund(body: RefundRequest) -> Answer:
    """Take the money of a refund from the user, before the bank gives it to his card."""
    service.debit(context_of(Context).db, _refund_posting(TransferKind.TOPUP_REFUNDED, body))
    return Answer(204)


@internal.post("/topup-refund-returns")
@services_only("payments")
@parsed
def return_refund(body: RefundRequest) -> Answer:
    """The bank refused the refund: the user gets his money again, as a top-up whose cause is the refund."""
    service.credit(context_of(Context).db, _refund_posting(TransferKind.TOPUP, body))
    return Answer(204)


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
