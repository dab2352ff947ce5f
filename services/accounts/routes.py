"""The public routes of accounts, and the internal route that verifies a session for the gateway."""

import re
from typing import Final

from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from common.core.errors import InvalidRequest
from common.http.server.endpoint import services_only, user_only
from common.http.server.request import Request
from common.http.server.response import Response, render
from common.http.server.schemas import GUEST_RESPONSES, SESSION, ErrorBody, utc
from services.accounts import service
from services.accounts.context import Context
from services.accounts.devices import device_of, known_devices
from services.accounts.models import NewSession
from services.accounts.schemas import (
    Credentials,
    ListedSessionView,
    MeView,
    PasswordChange,
    SessionList,
    SessionPath,
    SessionVerification,
    SessionView,
    SignIn,
    VerifiedSessionView,
)

public = APIBlueprint("public", __name__, abp_tags=[Tag(name="Accounts")], abp_responses=GUEST_RESPONSES)
internal = APIBlueprint("internal", __name__, url_prefix="/internal", doc_ui=False)

#: Set by the gateway alone; the gateway's token, without which no route here answers, vouches for them.
SESSION_HASH_HEADER: Final = "X-Session-Hash"
CLIENT_ADDRESS_HEADER: Final = "X-Client-Address"
USER_AGENT_HEADER: Final = "X-Client-User-Agent"
KNOWN_DEVICES_HEADER: Final = "X-Known-Devices"

_SESSION_HASH: Final = re.compile("[0-9a-f]{64}")


@public.post("/register", responses={"201": SessionView, "409": ErrorBody})
@services_only("gateway")
def register(context: Context, request: Request, body: Credentials) -> Response:
    """Register a user and start a session."""
    session = service.register(context, body.login, body.password.get_secret_value(), _device(request))
    return render(_session_view(session), 201)


@public.post("/login", responses={"200": SessionView, "401": ErrorBody})
@services_only("gateway")
def log_in(context: Context, request: Request, body: SignIn) -> Response:
    """Sign in: start a session."""
    address = request.header(CLIENT_ADDRESS_HEADER) or ""
    session = service.log_in(
        context,
        body.login,
        body.password.get_secret_value(),
        address,
        _device(request),
        known_devices=known_devices(request.header(KNOWN_DEVICES_HEADER) or ""),
    )
    return render(_session_view(session))


@public.post("/logout", responses={"204": None, "401": ErrorBody}, security=SESSION)
@user_only
def log_out(context: Context, request: Request) -> Response:
    """End this session; it is invalid at once."""
    service.log_out(context, request.user_id, _session_hash(request))
    return Response(204)


@public.post("/logout/all", responses={"204": None, "401": ErrorBody}, security=SESSION)
@user_only
def log_out_everywhere(context: Context, request: Request) -> Response:
    """End all sessions of the signed-in user, including this one."""
    service.log_out_everywhere(context, request.user_id)
    return Response(204)


@public.get("/sessions", responses={"200": SessionList, "401": ErrorBody}, security=SESSION)
@user_only
def list_sessions(context: Context, request: Request) -> Response:
    """List the signed-in user's active sessions, last used first."""
    sessions = service.list_sessions(context, request.user_id, _session_hash(request))
    return render(SessionList(sessions=[ListedSessionView.of(session) for session in sessions]))


@public.delete("/sessions/<id>", responses={"204": None, "401": ErrorBody, "404": ErrorBody}, security=SESSION)
@user_only
def end_session(context: Context, request: Request, path: SessionPath) -> Response:
    """End one session of the signed-in user; it is invalid at once."""
    service.end_session(context, request.user_id, path.id)
    return Response(204)


@public.get("/me", responses={"200": MeView, "401": ErrorBody}, security=SESSION)
@user_only
def get_me(context: Context, request: Request) -> Response:
    """Return the signed-in user."""
    user = service.get_me(context, request.user_id)
    return render(MeView(user_id=user.user_id, login=user.login, created_at=utc(user.created_at)))


@public.post("/me/password", responses={"204": None, "403": ErrorBody, "401": ErrorBody}, security=SESSION)
@user_only
def change_password(context: Context, request: Request, body: PasswordChange) -> Response:
    """Change the password and end all other sessions."""
    service.change_password(
        context,
        request.user_id,
        _session_hash(request),
        body.old_password.get_secret_value(),
        body.new_password.get_secret_value(),
    )
    return Response(204)


@internal.post("/sessions/verify")
@services_only("gateway")
def verify_session(context: Context, body: SessionVerification) -> Response:
    """Return the user of an active session, by its hash: the session id is neither sent nor logged."""
    user_id, cache_seconds = service.verify_session(context, bytes.fromhex(body.session_hash))
    return render(VerifiedSessionView(user_id=user_id, cache_seconds=cache_seconds))


def _device(request: Request) -> str | None:
    return device_of(request.header(USER_AGENT_HEADER) or "")


def _session_hash(request: Request) -> bytes:
    value = request.header(SESSION_HASH_HEADER) or ""
    if not _SESSION_HASH.fullmatch(value):
        raise InvalidRequest(f"{SESSION_HASH_HEADER} must hold the hash of the session")
    return bytes.fromhex(value)


def _session_view(session: NewSession) -> SessionView:
    return SessionView(user_id=session.user_id, session_id=session.session_id, expires_at=utc(session.expires_at))
