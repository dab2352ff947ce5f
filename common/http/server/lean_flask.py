"""The Flask application class: Flask without the features that no service uses, and a direct dispatch for hot routes.

Under load Flask and werkzeug cost a web process as much CPU time as all of our own code, see
``docs/explanation/performance.md``. Cookie sessions, coroutines and host matching are therefore disabled through
Flask's own hooks, and a ``@direct`` view is called without Flask. A direct route is declared, documented and tested
like any other. A request that does not match its method and path exactly (``HEAD``, ``OPTIONS``, a trailing slash)
takes Flask's path.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from flask import Flask
from flask import Request as FlaskRequest
from flask import Response as FlaskResponse
from flask import request as flask_request
from flask.sessions import NullSession, SessionInterface, SessionMixin
from flask_openapi3.openapi import OpenAPI
from werkzeug.routing import MapAdapter

from common import log_events
from common.core.logging import get_logger
from common.http.server import health, metrics
from common.http.server.endpoint import Handler
from common.http.server.error_rendering import render_error
from common.http.server.request import ENVIRON_KEY, Request, begin_request
from common.http.server.response import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = get_logger(__name__)


class _NoSessions(SessionInterface):
    """Disable cookie sessions: the ``Authorization`` header alone identifies the caller."""

    _EMPTY: Final = NullSession()

    def open_session(self, app: Flask, request: FlaskRequest) -> SessionMixin:  # noqa: ARG002
        return self._EMPTY


class LeanFlask(OpenAPI):
    """The application class of every service."""

    session_interface = _NoSessions()

    #: Added to every response that does not set them itself.
    common_headers: Mapping[str, str] = {}

    def wsgi_app(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Dispatch direct routes here and all others through Flask."""
        request = begin_request(self, environ)
        handler = self._direct_handlers.get((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        if handler is None:
            environ[ENVIRON_KEY] = request
            return super().wsgi_app(environ, start_response)
        try:
            response: Response = handler(request, {})
        except Exception as error:  # noqa: BLE001  rendered as Flask's error handler would render it
            response = render_error(error)
        response.headers = {**self.common_headers, **response.headers, "X-Request-ID": request.request_id}
        _record_request(request, environ["PATH_INFO"], response.status)
        return response(environ, start_response)

    @cached_property
    def _direct_handlers(self) -> dict[tuple[str, str], Handler]:
        """Direct handlers by method and path; built at the first request, when all routes are registered."""
        return {
            (method, rule.rule): endpoint.__fastcheck_handler__  # type: ignore[union-attr]
            for rule in self.url_map.iter_rules()
            if hasattr(endpoint := self.view_functions[rule.endpoint], "__fastcheck_direct__")
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        }

    def process_response(self, response: FlaskResponse) -> FlaskResponse:
        """Complete a response that Flask dispatched, as ``wsgi_app`` completes a direct one."""
        response = super().process_response(response)
        request: Request = flask_request.environ[ENVIRON_KEY]
        for name, value in self.common_headers.items():
            response.headers.setdefault(name, value)
        response.headers["X-Request-ID"] = request.request_id
        rule = flask_request.url_rule
        _record_request(request, rule.rule if rule else "(none)", response.status_code)
        return response

    def make_response(self, rv: Any) -> FlaskResponse:
        """Convert the return value of a view or an error handler to Flask's response class."""
        if not isinstance(rv, Response):
            return super().make_response(rv)
        response = self.response_class(rv.body, status=rv.status, headers=dict(rv.headers))
        if "Content-Type" not in rv.headers:
            del response.headers["Content-Type"]
        return response

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function unchanged: no view is a coroutine, and Flask's check runs before each call."""
        return func

    def create_url_adapter(self, request: FlaskRequest | None) -> MapAdapter | None:
        """Match routes by path and method only; the ``Host`` header is ignored."""
        if request is None:
            return None
        environ = request.environ
        return MapAdapter(
            self.url_map,
            server_name="",
            script_name="/",
            subdomain="",
            url_scheme="http",
            # WSGI passes the path decoded as Latin-1 (PEP 3333).
            path_info=environ["PATH_INFO"].encode("latin-1").decode(errors="replace"),
            default_method=environ["REQUEST_METHOD"],
            query_args=environ["QUERY_STRING"],
        )


def _record_request(request: Request, route: str, status: int) -> None:
    """Write the request's log line and observe its duration."""
    seconds, method = perf_counter() - request.started_at, request.environ["REQUEST_METHOD"]
    metrics.observe_request(method, route, status, seconds)
    if route not in health.QUIET_ROUTES:
        log.info(log_events.REQUEST, method=method, route=route, status=status, duration_ms=round(seconds * 1000, 2))
