"""The payment page, and the fault controls."""

import hmac
import re
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, current_app, redirect, render_template, request, send_from_directory
from pydantic import BaseModel, ConfigDict, Field
from werkzeug.wrappers import Response as AnyResponse

from common.core.errors import Forbidden, NotFound
from common.http.server.endpoint import unauthenticated
from services.sandbox_bank import service
from services.sandbox_bank.context import Context
from services.sandbox_bank.errors import AdminOnly
from services.sandbox_bank.faults import Fault
from services.sandbox_bank.models import DECLINED_CARD, PAYING_CARD, Payment, State
from services.sandbox_bank.service import PageOutcome

pages = Blueprint("pages", __name__, template_folder="web")
admin = Blueprint("admin", __name__, url_prefix="/admin")

#: Name of the merchant on the payment page.
MERCHANT: Final = "FastCheck"
#: No script, no frame, no external content. Without form-action, which browsers apply to the redirect too.
PAGE_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

#: Any month and year are accepted.
_EXPIRY: Final = re.compile(r"^\s*(0[1-9]|1[0-2])\s*/?\s*(\d{2}|\d{4})\s*$")
_CVC: Final = re.compile(r"^\s*\d{3}\s*$")


@pages.get("/assets/pay.css")
@unauthenticated
def style() -> Response:
    """Return the style sheet, the only asset of the page."""
    return send_from_directory(Path(__file__).parent / "web", "pay.css", max_age=300)


@pages.get("/pay/<page_key>")
@unauthenticated
def show_page(context: Context, page_key: str) -> Response:
    """Show the payment page. Its URL is the credential; there is no cookie that another site could use."""
    payment = service.open_page(context, page_key)
    return _page(context, payment)


@pages.post("/pay/<page_key>")
@unauthenticated
def submit_page(context: Context, page_key: str) -> AnyResponse:
    """Process the form of the payment page; reject forms of other sites."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("this form can only be sent from the payment page")
    if request.form.get("action") == "cancel":
        result = service.cancel_at_page(context, page_key)
    else:
        errors = _form_errors()
        if errors:
            return _page(context, service.open_page(context, page_key), errors=errors, status=422)
        result = service.submit_card(context, page_key, request.form.get("card_number", ""))
    if result.outcome is PageOutcome.WRONG_CARD:
        return _page(context, result.payment, errors={"card_number": "Enter one of the two test cards."}, status=422)
    target = _return_url(context, result.payment)
    response = redirect(target, code=303)
    response.headers.update({"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})
    return response


def _form_errors() -> dict[str, str]:
    errors: dict[str, str] = {}
    if not _EXPIRY.match(request.form.get("expiry", "")):
        errors["expiry"] = "Enter month and year, for example 12/30."
    if not _CVC.match(request.form.get("cvc", "")):
        errors["cvc"] = "Enter three digits."
    if not request.form.get("card_number", "").strip():
        errors["card_number"] = "Enter the number of a test card."
    return errors


def _page(context: Context, payment: Payment, *, errors: dict[str, str] | None = None, status: int = 200) -> Response:
    body = render_template(
        "pay.html",
        payment=payment,
        merchant=MERCHANT,
        is_open=payment.state is State.NEW,
        return_url=_return_url(context, payment),
        paying_card=_in_fours(PAYING_CARD),
        declined_card=_in_fours(DECLINED_CARD),
        errors=errors or {},
    )
    return Response(body, status=status, content_type="text/html; charset=utf-8", headers=PAGE_HEADERS)


def _return_url(context: Context, payment: Payment) -> str:
    paid = payment.state in (State.CONFIRMED, State.PARTIAL_REFUNDED, State.REFUNDED)
    return context.wires[payment.protocol].return_url(payment, paid=paid)


def _in_fours(digits: str) -> str:
    return " ".join(digits[place : place + 4] for place in range(0, len(digits), 4))


class Plan(BaseModel):
    """Lists of faults; each new order takes the next list, cyclically. An empty plan removes it."""

    model_config = ConfigDict(extra="forbid")
    plan: list[list[Fault]] = Field(max_length=1_000)


class OrderPath(BaseModel):
    protocol: str
    order_id: str


class Faults(BaseModel):
    model_config = ConfigDict(extra="forbid")
    faults: list[Fault]


@admin.before_request
def _operator_only() -> None:
    settings = current_app.extensions["context"].settings
    given = request.authorization
    user, password = (given.username or "", given.password or "") if given else ("", "")
    wanted = (settings.tbank_terminal_key, settings.tbank_password.get_secret_value())
    same = [hmac.compare_digest(a.encode(), b.encode()) for a, b in zip((user, password), wanted, strict=True)]
    if not all(same):
        raise AdminOnly


@admin.put("/faults")
@unauthenticated
def set_plan(context: Context, body: Plan) -> Response:
    """Set the faults of new orders."""
    service.set_plan(context, body.plan)
    return Response(status=204)


@admin.put("/payments/<protocol>/<order_id>/faults")
@unauthenticated
def set_faults(context: Context, path: OrderPath, body: Faults) -> Response:
    """Set the faults of an existing payment."""
    service.set_faults(context, path.protocol, path.order_id, body.faults)
    return Response(status=204)


@admin.get("/payments/<protocol>")
@unauthenticated
def list_payments(context: Context, protocol: str) -> dict[str, object]:
    """List the newest payments of one protocol."""
    if protocol not in context.wires:
        raise NotFound
    found = service.list_payments(context, protocol)
    return {
        "payments": [
            {
                "paymentID": payment.public_id,
                "orderID": payment.order_id,
                "state": payment.state,
                "amount": payment.amount_minor,
                "refunded": payment.refunded_minor,
                "currency": payment.currency,
                "faults": sorted(payment.faults),
                "paymentUrl": context.page_url(payment.page_key),
            }
            for payment in found
        ]
    }
