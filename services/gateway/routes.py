"""The public API, route by route: who may call, how it is counted, and which service answers.

The service serves the same path, checks the body and renders the answer; the gateway only hands on.
"""

from flask import Blueprint

from common.http.server.exchange import Answer, direct
from services.gateway.admission import guest, signed_in
from services.gateway.forwarding import forward, forward_for_session, forward_guest, forward_notification
from services.gateway.models import Call, Rate

api = Blueprint("api", __name__)

# Accounts


@api.post("/register")
@guest("accounts", Rate.PASSWORD)
def register(call: Call) -> Answer:
    """Become a user."""
    return forward_guest(call)


@api.post("/login")
@guest("accounts", Rate.PASSWORD)
def log_in(call: Call) -> Answer:
    """Begin a session."""
    return forward_guest(call)


@api.post("/logout")
@signed_in("accounts", Rate.WRITE)
def log_out(call: Call) -> Answer:
    """End this session."""
    return forward_for_session(call)


@api.post("/logout/all")
@signed_in("accounts", Rate.WRITE)
def log_out_everywhere(call: Call) -> Answer:
    """End all sessions of the user."""
    return forward_for_session(call)


@api.get("/me")
@signed_in("accounts", Rate.READ)
def get_me(call: Call) -> Answer:
    """Who is signed in."""
    return forward(call)


@api.post("/me/password")
@signed_in("accounts", Rate.PASSWORD)
def change_password(call: Call) -> Answer:
    """A new password; all other sessions end."""
    return forward_for_session(call)


# Balance


@api.get("/balance")
@direct
@signed_in("balance", Rate.READ)
def get_balance(call: Call) -> Answer:
    """What is free to spend."""
    return forward(call)


@api.get("/balance/history")
@signed_in("balance", Rate.READ)
def get_statement(call: Call) -> Answer:
    """The statement."""
    return forward(call)


# Checks


@api.post("/fastcheck")
@direct
@signed_in("checks", Rate.WRITE)
def create_check(call: Call) -> Answer:
    """Write a check."""
    return forward(call)


@api.get("/fastcheck/active")
@signed_in("checks", Rate.READ)
def list_active_checks(call: Call) -> Answer:
    """Own checks that can still be accepted."""
    return forward(call)


@api.post("/fastcheck/accept")
@direct
@signed_in("checks", Rate.WRITE)
def accept_check(call: Call) -> Answer:
    """Take the money of a check."""
    return forward(call)


@api.post("/fastcheck/preview")
@signed_in("checks", Rate.WRITE)
def preview_check(call: Call) -> Answer:
    """Look at a check before accepting it; a wrong code counts."""
    return forward(call)


@api.get("/fastcheck/history")
@signed_in("checks", Rate.READ)
def list_history(call: Call) -> Answer:
    """Checks that are over, created or accepted."""
    return forward(call)


@api.post("/fastcheck/<fastcheck>/cancel")
@signed_in("checks", Rate.WRITE)
def cancel_check(call: Call) -> Answer:
    """Take an own check back."""
    return forward(call)


@api.post("/fastcheck/<fastcheck>/code")
@signed_in("checks", Rate.WRITE)
def renew_code(call: Call) -> Answer:
    """A new code for an own check."""
    return forward(call)


@api.get("/fastcheck/<fastcheck>/qr.svg")
@signed_in("checks", Rate.READ)
def get_qr(call: Call) -> Answer:
    """The link to an own check as a picture."""
    return forward(call)


# Payments


@api.post("/topup")
@signed_in("payments", Rate.WRITE)
def start_topup(call: Call) -> Answer:
    """Begin a top-up at the bank."""
    return forward(call)


@api.get("/topup")
@signed_in("payments", Rate.READ)
def list_topups(call: Call) -> Answer:
    """Own top-ups."""
    return forward(call)


@api.get("/topup/<transactionID>")
@signed_in("payments", Rate.READ)
def get_topup(call: Call) -> Answer:
    """One own top-up."""
    return forward(call)


@api.get("/topup/<transactionID>/return")
@guest("payments", Rate.GUEST)
def return_from_bank(call: Call) -> Answer:
    """The browser comes back from the bank, which knows nothing of sessions; this changes no money."""
    return forward_guest(call)


@api.post("/bank/webhook/<bank>")
@guest("payments", Rate.UNLIMITED)
def bank_webhook(call: Call) -> Answer:
    """The bank tells what became of a payment, and proves itself by its signature."""
    return forward_notification(call)


@api.get("/bank/webhook/<bank>")
@guest("payments", Rate.UNLIMITED)
def bank_webhook_by_query(call: Call) -> Answer:
    """The same, of banks that say it in the query."""
    return forward_notification(call)
