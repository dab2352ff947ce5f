"""The routes of the public API: who may call, how requests are counted, and which service handles them.

The owning service serves the same path, validates the body and renders the response; the gateway only forwards.
"""

from flask import Blueprint

from common.http.server.request import Request
from common.http.server.response import Response
from services.gateway.admission import guest, sign_in, signed_in
from services.gateway.context import Context
from services.gateway.csv_export import HISTORY, STATEMENT
from services.gateway.forwarding import (
    forward,
    forward_for_session,
    forward_guest,
    forward_list,
    forward_notification,
    forward_sign_in,
    forward_with_address,
    forward_with_session,
)
from services.gateway.models import Call, Rate

api = Blueprint("api", __name__)

# Accounts


@api.post("/register")
@guest("accounts", Rate.REGISTER)
def register(context: Context, request: Request, call: Call) -> Response:
    """Register a user."""
    return forward_sign_in(context, request, call)


@api.post("/login")
@sign_in("accounts", Rate.PASSWORD)
def log_in(context: Context, request: Request, call: Call) -> Response:
    """Start a session."""
    return forward_sign_in(context, request, call)


@api.post("/logout")
@signed_in("accounts", Rate.WRITE)
def log_out(context: Context, request: Request, call: Call) -> Response:
    """End this session."""
    return forward_for_session(context, request, call)


@api.post("/logout/all")
@signed_in("accounts", Rate.WRITE)
def log_out_everywhere(context: Context, request: Request, call: Call) -> Response:
    """End all sessions of the user."""
    return forward_for_session(context, request, call)


@api.get("/sessions")
@signed_in("accounts", Rate.READ)
def list_sessions(context: Context, request: Request, call: Call) -> Response:
    """List the user's active sessions."""
    return forward_with_session(context, request, call)


@api.delete("/sessions/<id>")
@signed_in("accounts", Rate.WRITE)
def end_session(context: Context, request: Request, call: Call) -> Response:
    """End one session of the user."""
    return forward_for_session(context, request, call)


@api.get("/me")
@signed_in("accounts", Rate.READ)
def get_me(context: Context, request: Request, call: Call) -> Response:
    """Return the signed-in user."""
    return forward(context, request, call)


@api.post("/me/password")
@signed_in("accounts", Rate.PASSWORD)
def change_password(context: Context, request: Request, call: Call) -> Response:
    """Change the password and end all other sessions."""
    return forward_for_session(context, request, call)


# Balance


@api.get("/balance")
@signed_in("balance", Rate.READ)
def get_balance(context: Context, request: Request, call: Call) -> Response:
    """Return the balance."""
    return forward(context, request, call)


@api.get("/balance/history")
@signed_in("balance", Rate.READ)
def get_statement(context: Context, request: Request, call: Call) -> Response:
    """Return the statement."""
    return forward_list(context, request, call, STATEMENT)


# Checks


@api.post("/fastcheck")
@signed_in("checks", Rate.WRITE)
def create_check(context: Context, request: Request, call: Call) -> Response:
    """Create a check."""
    return forward(context, request, call)


@api.get("/fastcheck/active")
@signed_in("checks", Rate.READ)
def list_active_checks(context: Context, request: Request, call: Call) -> Response:
    """List own active checks."""
    return forward(context, request, call)


@api.post("/fastcheck/accept")
@signed_in("checks", Rate.WRITE)
def accept_check(context: Context, request: Request, call: Call) -> Response:
    """Accept a check."""
    return forward_with_address(context, request, call)


@api.post("/fastcheck/preview")
@signed_in("checks", Rate.WRITE)
def preview_check(context: Context, request: Request, call: Call) -> Response:
    """Preview a check before accepting it; a wrong code counts as an attempt."""
    return forward_with_address(context, request, call)


@api.post("/fastcheck/preview/guest")
@guest("checks", Rate.GUEST)
def preview_as_guest(context: Context, request: Request, call: Call) -> Response:
    """Preview a check without a session; a wrong code counts as an attempt of the client's address."""
    return forward_guest(context, request, call)


@api.get("/fastcheck/history")
@signed_in("checks", Rate.READ)
def list_history(context: Context, request: Request, call: Call) -> Response:
    """List ended checks that the user created or accepted."""
    return forward_list(context, request, call, HISTORY)


@api.get("/fastcheck/<fastcheck>")
@signed_in("checks", Rate.READ)
def get_check(context: Context, request: Request, call: Call) -> Response:
    """Return a check that the user created or accepted."""
    return forward(context, request, call)


@api.post("/fastcheck/<fastcheck>/cancel")
@signed_in("checks", Rate.WRITE)
def cancel_check(context: Context, request: Request, call: Call) -> Response:
    """Cancel an own check."""
    return forward(context, request, call)


@api.post("/fastcheck/<fastcheck>/code")
@signed_in("checks", Rate.WRITE)
def renew_code(context: Context, request: Request, call: Call) -> Response:
    """Replace the code of an own check."""
    return forward(context, request, call)


@api.get("/fastcheck/<fastcheck>/qr.svg")
@signed_in("checks", Rate.READ)
def get_qr(context: Context, request: Request, call: Call) -> Response:
    """Return the link to an own check as a QR code."""
    return forward(context, request, call)


# Payments


@api.post("/topup")
@signed_in("payments", Rate.TOPUP)
def start_topup(context: Context, request: Request, call: Call) -> Response:
    """Start a top-up."""
    return forward(context, request, call)


@api.get("/topup")
@signed_in("payments", Rate.READ)
def list_topups(context: Context, request: Request, call: Call) -> Response:
    """List own top-ups."""
    return forward(context, request, call)


@api.get("/topup/<transactionID>")
@signed_in("payments", Rate.READ)
def get_topup(context: Context, request: Request, call: Call) -> Response:
    """Return an own top-up."""
    return forward(context, request, call)


@api.get("/topup/<transactionID>/return")
@guest("payments", Rate.GUEST)
def return_from_bank(context: Context, request: Request, call: Call) -> Response:
    """Redirect a browser that returns from the bank. It carries no session, and no money moves."""
    return forward_guest(context, request, call)


@api.post("/bank/webhook/<bank>")
@guest("payments", Rate.UNLIMITED)
def bank_webhook(context: Context, request: Request, call: Call) -> Response:
    """Receive a bank's notification, which its signature authenticates."""
    return forward_notification(context, request, call)


@api.get("/bank/webhook/<bank>")
@guest("payments", Rate.UNLIMITED)
def bank_webhook_by_query(context: Context, request: Request, call: Call) -> Response:
    """Receive a notification of a bank that sends it in the query."""
    return forward_notification(context, request, call)


# Webhooks


@api.post("/webhooks")
@signed_in("webhooks", Rate.WRITE)
def create_webhook(context: Context, request: Request, call: Call) -> Response:
    """Register a URL for the events of the user."""
    return forward(context, request, call)


@api.get("/webhooks")
@signed_in("webhooks", Rate.READ)
def list_webhooks(context: Context, request: Request, call: Call) -> Response:
    """List own webhooks."""
    return forward(context, request, call)


@api.delete("/webhooks/<id>")
@signed_in("webhooks", Rate.WRITE)
def delete_webhook(context: Context, request: Request, call: Call) -> Response:
    """Delete an own webhook."""
    return forward(context, request, call)


@api.post("/webhooks/<id>/rotate")
@signed_in("webhooks", Rate.WRITE)
def rotate_secret(context: Context, request: Request, call: Call) -> Response:
    """Replace the signing secret of an own webhook."""
    return forward(context, request, call)


@api.get("/webhooks/<id>/deliveries")
@signed_in("webhooks", Rate.READ)
def list_deliveries(context: Context, request: Request, call: Call) -> Response:
    """List the deliveries of an own webhook."""
    return forward(context, request, call)


@api.post("/webhooks/<id>/deliveries/<deliveryId>/replay")
@signed_in("webhooks", Rate.WRITE)
def replay_delivery(context: Context, request: Request, call: Call) -> Response:
    """Send a delivery of an own webhook again."""
    return forward(context, request, call)
