"""Guards of the gateway's routes: who may call, how often, and which service handles the request.

``@signed_in("balance", Rate.READ)``, ``@guest("accounts", Rate.PASSWORD)``. The view receives the context, the request
and the admitted :class:`~services.gateway.models.Call`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from common.http.server.endpoint import AUTHENTICATED, UNAUTHENTICATED, as_endpoint
from common.http.server.request import Request
from common.http.server.response import Response
from services.gateway import service
from services.gateway.client_address import client_address
from services.gateway.context import Context
from services.gateway.http_rules import require_one_host
from services.gateway.models import Call, Rate, rate_limit_headers
from services.gateway.session_header import session_hash_of

View = Callable[[Context, Request, Call], Response]
Endpoint = Callable[..., Response]


def signed_in(owner: str, rate: Rate) -> Callable[[View], Endpoint]:
    """Require a session, count the request per user as ``rate``, and name ``owner`` as the service that handles it."""

    def admit(context: Context, request: Request) -> Call:
        return service.admit_user(
            context,
            owner,
            rate,
            session_hash_of(request.header("Authorization")),
            address=client_address(request.environ, context.settings.client_address_header),
            request_id=request.request_id,
            report=_reporting(context, request),
        )

    return _guarded(admit, owner, AUTHENTICATED)


def guest(owner: str, rate: Rate) -> Callable[[View], Endpoint]:
    """Require no session, count the request per client address, and name ``owner`` as the service that handles it."""

    def admit(context: Context, request: Request) -> Call:
        address = client_address(request.environ, context.settings.client_address_header)
        return service.admit_guest(context, owner, rate, address=address, report=_reporting(context, request))

    return _guarded(admit, owner, UNAUTHENTICATED)


def sign_in(owner: str, rate: Rate) -> Callable[[View], Endpoint]:
    """As :func:`guest`, but count a client that has signed in before per device: others cannot use up its rate."""

    def admit(context: Context, request: Request) -> Call:
        address = client_address(request.environ, context.settings.client_address_header)
        cookies, report = request.header("Cookie") or "", _reporting(context, request)
        return service.admit_sign_in(context, owner, rate, address=address, cookies=cookies, report=report)

    return _guarded(admit, owner, UNAUTHENTICATED)


def _reporting(context: Context, request: Request) -> service.Report:
    """Return a function that lets the response of the request report its limit."""

    def report(rate: Rate, wait_us: int) -> None:
        limit = context.limits[rate]
        if limit.burst:
            request.response_headers = rate_limit_headers(rate, limit, wait_us)

    return report


def _guarded(admit: Callable[[Context, Request], Call], owner: str, access: str) -> Callable[[View], Endpoint]:
    def decorate(view: View) -> Endpoint:
        # The values of the path are not used: the path is forwarded unchanged and the owner parses it.
        def handle(request: Request, _path_values: Mapping[str, Any]) -> Response:
            require_one_host(request.environ)
            context: Context = request.app.extensions["context"]
            return view(context, request, admit(context, request))

        endpoint: Endpoint = as_endpoint(view, handle, access)
        endpoint.__fastcheck_owner__ = owner  # type: ignore[attr-defined]
        return endpoint

    return decorate
