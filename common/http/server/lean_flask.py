"""Flask without what no API of ours uses, and around what is asked for most.

Under load Flask and werkzeug cost a web process as much as all of our own code
(``docs/explanation/performance.md``). Flask's hooks switch off cookie sessions, coroutines and host names, and a view
that needs nothing of Flask (``@direct``) is called without it. Such a route is declared, documented and tested like
any other. A request that is not exactly its method and path takes Flask's path: ``HEAD``, ``OPTIONS``, extra slashes.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from flask import Flask, Request, Response, request
from flask.sessions import NullSession, SessionInterface, SessionMixin
from flask_openapi3.openapi import OpenAPI
from werkzeug.routing import MapAdapter

from common.core.logging import get_logger
from common.http.server import exchange, health, metrics
from common.http.server.exchange import Answer, Exchange
from common.http.server.failures import answer_to

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = get_logger(__name__)


class _NoSessions(SessionInterface):
    """Who is calling stands in the ``Authorization`` header, and nowhere else."""

    _nobodys: Final = NullSession()

    def open_session(self, app: Flask, request: Request) -> SessionMixin:  # noqa: ARG002
        return self._nobodys


class LeanFlask(OpenAPI):
    """The application class of every service."""

    session_interface = _NoSessions()

    #: On every answer that has no word of its own for them.
    common_headers: Mapping[str, str] = {}

    def wsgi_app(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """WSGI in: the direct routes here, all others by Flask."""
        begun, token = exchange.begin(self, environ)
        try:
            view = self._direct_views.get((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
            if view is None:
                return super().wsgi_app(environ, start_response)
            answer = self._answer(view, begun)
            _take_down(begun, environ["PATH_INFO"], answer.status)
            return answer(environ, start_response)
        finally:
            exchange.end(token)

    def _answer(self, view: Callable[[], Answer], begun: Exchange) -> Answer:
        try:
            answer = view()
        except Exception as error:  # noqa: BLE001  whatever it is, it is told as Flask's handler would tell it
            answer = answer_to(error)
        answer.headers = {**self.common_headers, **answer.headers, "X-Request-ID": begun.request_id}
        return answer

    @cached_property
    def _direct_views(self) -> dict[tuple[str, str], Callable[[], Answer]]:
        """Method and path -> view; made at the first request, when all routes are there."""
        return {
            (method, rule.rule): view.__fastcheck_direct__
            for rule in self.url_map.iter_rules()
            if hasattr(view := self.view_functions[rule.endpoint], "__fastcheck_direct__")
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        }

    def process_response(self, response: Response) -> Response:
        """Flask's last step with an answer that went its way."""
        response = super().process_response(response)
        begun = exchange.current()
        for name, value in self.common_headers.items():
            response.headers.setdefault(name, value)
        response.headers["X-Request-ID"] = begun.request_id
        _take_down(begun, request.url_rule.rule if request.url_rule else "(none)", response.status_code)
        return response

    def make_response(self, rv: Any) -> Response:
        """What a view or an error handler gave back, as Flask wants it."""
        if not isinstance(rv, Answer):
            return super().make_response(rv)
        response = self.response_class(rv.body, status=rv.status, headers=dict(rv.headers))
        if "Content-Type" not in rv.headers:
            del response.headers["Content-Type"]
        return response

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """No view is a coroutine; Flask looks at each function before each call."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Routes are told apart by path and method alone, whatever host the client thinks that he speaks to."""
        if request is None:
            return None
        environ = request.environ
        return MapAdapter(
            self.url_map,
            server_name="",
            script_name="/",
            subdomain="",
            url_scheme="http",
            # WSGI gives it decoded as Latin-1 (PEP 3333).
            path_info=environ["PATH_INFO"].encode("latin-1").decode(errors="replace"),
            default_method=environ["REQUEST_METHOD"],
            query_args=environ["QUERY_STRING"],
        )


def _take_down(begun: Exchange, route: str, status: int) -> None:
    """In the log and in the metrics."""
    seconds, method = perf_counter() - begun.started, begun.environ["REQUEST_METHOD"]
    metrics.observe_request(method, route, status, seconds)
    if route not in health.QUIET_ROUTES:
        log.info("request", method=method, route=route, status=status, duration_ms=round(seconds * 1000, 2))
