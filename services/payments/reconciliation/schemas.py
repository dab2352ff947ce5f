"""Request and response models of reconciliation."""

from typing import Self

from pydantic import AwareDatetime, Field

from common.http.server.schemas import RequestModel, ResponseModel
from services.payments.banks.base import Notification
from services.payments.reconciliation.models import Difference, Kind, OurPayment
from services.payments.refunds.schemas import Operator, Reason


class ReconciliationRequest(RequestModel):
    """``statement``: the text of a CSV file. ``apply``: poll the bank for each difference."""

    bank: str = Field(max_length=40)
    since: AwareDatetime = Field(strict=False)
    until: AwareDatetime = Field(strict=False)
    statement: str | None = None
    apply: bool = False
    operator: Operator
    reason: Reason = "reconciliation"


class SideView(ResponseModel):
    """One side's view of a payment."""

    amount: int | None = None
    currency: str | None = None
    status: str

    @classmethod
    def of_topup(cls, ours: OurPayment) -> Self:
        return cls(amount=ours.amount_minor, currency=ours.currency, status=ours.status)

    @classmethod
    def of_bank(cls, theirs: Notification) -> Self:
        return cls(amount=theirs.amount_minor, currency=theirs.currency, status=theirs.bank_status)


class DifferenceView(ResponseModel):
    kind: Kind
    payment_id: str | None = Field(default=None, alias="paymentID")
    order_id: str | None = Field(default=None, alias="orderID")
    transaction_id: str | None = Field(default=None, alias="transactionID")
    ours: SideView | None = None
    theirs: SideView | None = None
    applied: str | None = None

    @classmethod
    def of(cls, difference: Difference) -> Self:
        ours, theirs = difference.ours, difference.theirs
        return cls(
            kind=difference.kind,
            payment_id=(theirs.bank_payment_id or None) if theirs else ours.bank_payment_id if ours else None,
            order_id=ours.bank_order_id if ours else theirs.order_id if theirs else None,
            transaction_id=str(ours.topup_id) if ours else None,
            ours=SideView(amount=ours.amount_minor, currency=ours.currency, status=ours.status) if ours else None,
            theirs=SideView(amount=theirs.amount_minor, currency=theirs.currency, status=theirs.bank_status)
            if theirs
            else None,
            applied=difference.applied,
        )


class ReconciliationReport(ResponseModel):
    bank: str
    source: str
    compared: int
    differences: list[DifferenceView]
