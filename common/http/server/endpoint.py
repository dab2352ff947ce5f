"""Decorators that make a view an endpoint: who may call it, and which arguments it receives.

A view declares what it needs by parameter name: ``context`` (the service's context), ``request``
(:class:`~common.http.server.request.Request`), and pydantic models named ``header``, ``path``, ``query`` and ``body``::

    @public.post("/fastcheck")
    @user_only
    def create_check(context: Context, request: Request, body: CreateRequest) -> Response: ...

Other values of the path are passed by their names. flask-openapi3 documents the models from the same annotations.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from inspect import signature
from typing import Any, Final, TypeVar, cast

from flask import request as flask_request

from common.core.errors import Forbidden
from common.http.server.identity import Caller
from common.http.server.request import ENVIRON_KEY, MAX_BODY_BYTES, Request
from common.http.server.request_parsing import models_of, parse
from common.http.server.response import Response

View = TypeVar("View", bound=Callable[..., Any])

#: Calls a view for a request and the values of its path.
Handler = Callable[[Request, Mapping[str, Any]], Any]

AUTHENTICATED: Final = "authenticated"
UNAUTHENTICATED: Final = "unauthenticated"


def user_only(view: View) -> View:
    """Restrict the view to a signed-in user that the gateway vouches for; see ``Request.user_id``."""
    return _guarded(view, lambda caller: caller.service == "gateway" and caller.user_id is not None)


def services_only(*names: str, max_body_bytes: int = MAX_BODY_BYTES) -> Callable[[View], View]:
    """Restrict the view to calls of these services."""
    return lambda view: _guarded(view, lambda caller: caller.service in names, max_body_bytes)


def unauthenticated(view: View) -> View:
    """Mark a view that requires no token or authenticates its caller itself. Every route must state its access."""
    return cast("View", as_endpoint(view, _calling(view), UNAUTHENTICATED))


def as_endpoint(view: Callable[..., Any], handler: Handler, access: str) -> Any:
    """Return ``handler`` as a function that Flask can route to, with the annotations of ``view``."""

    @wraps(view)
    def endpoint(**path_values: Any) -> Any:
        result = handler(flask_request.environ[ENVIRON_KEY], path_values)
        return result.as_flask() if isinstance(result, Response) else result

    endpoint.__fastcheck_access__ = access  # type: ignore[attr-defined]
    endpoint.__fastcheck_handler__ = handler  # type: ignore[attr-defined]
    # flask-openapi3 must not validate: it would do so before the caller is authenticated.
    endpoint.__delay_validate_request__ = True  # type: ignore[attr-defined]
    return endpoint


def _guarded(view: View, allows: Callable[[Caller], bool], max_body_bytes: int = MAX_BODY_BYTES) -> View:
    call = _calling(view)

    def handle(request: Request, path_values: Mapping[str, Any]) -> Any:
        caller = request.app.extensions["token_verifier"].verify(request.environ.get("HTTP_AUTHORIZATION"))
        if not allows(caller):
            raise Forbidden
        request.caller = caller
        request.max_body_bytes = max_body_bytes
        return call(request, path_values)

    return cast("View", as_endpoint(view, handle, AUTHENTICATED))


def _calling(view: Callable[..., Any]) -> Handler:
    """Return a handler that calls the view with the arguments it declares; raises InvalidRequest."""
    declared, models = signature(view).parameters, models_of(view)
    wants_context, wants_request = "context" in declared, "request" in declared

    def call(request: Request, path_values: Mapping[str, Any]) -> Any:
        arguments = parse(models, request, path_values) if models else dict(path_values)
        if wants_context:
            arguments["context"] = request.app.extensions["context"]
        if wants_request:
            arguments["request"] = request
        return view(**arguments)

    return call
