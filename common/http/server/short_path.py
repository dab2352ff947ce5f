"""WSGI middleware that answers a fixed list of routes without Flask, as long as no hook would be skipped.

Under load Flask and werkzeug cost a web process as much CPU time as all of our own code, see ``docs/decisions``. A
route on the list is declared, documented and tested like any other. Requests that do not match its method and path
exactly (``HEAD``, ``OPTIONS``, a trailing slash) go to Flask. As soon as an application-wide hook, a subscriber to one
of Flask's signals or a wrapped view exists, all requests do, so instrumentation sees every request.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from flask import Flask, signals

from common.http.server.endpoint import Handler
from common.http.server.error_rendering import flask_error, render_error
from common.http.server.exchange import Exchange
from common.http.server.request import begin_request
from common.http.server.response import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

#: Method and path of a route.
Route = tuple[str, str]

_SIGNALS: Final = (
    signals.request_started,
    signals.request_finished,
    signals.request_tearing_down,
    signals.got_request_exception,
    signals.appcontext_pushed,
    signals.appcontext_popped,
    signals.appcontext_tearing_down,
)


@dataclass(frozen=True, slots=True)
class _Short:
    """A route on the list: its view as it was registered, and the handler that the view wraps."""

    endpoint: str
    view: Any
    handler: Handler


class ShortPath:
    """Wraps ``app.wsgi_app``. Create it when all routes are registered."""

    def __init__(self, app: Flask, exchange: Exchange, routes: Collection[Route]) -> None:
        """Raises KeyError if a route does not exist or has values in its path."""
        self._app = app
        self._wsgi_app = app.wsgi_app
        self._exchange = exchange
        self._routes = {route: _short(app, route) for route in routes}
        self._blueprints = {short.endpoint.rpartition(".")[0] for short in self._routes.values()}
        self._before, self._after = [exchange.begin], [exchange.complete]
        self._error_handlers = {Exception: flask_error}

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Dispatch one request (PEP 3333)."""
        short = self._routes.get((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        if short is None or self._app.view_functions[short.endpoint] is not short.view or not self.is_open():
            return self._wsgi_app(environ, start_response)
        request = begin_request(self._app, environ)
        try:
            response: Response = short.handler(request, {})
        except Exception as error:  # noqa: BLE001  rendered as Flask's error handler would render it
            response = render_error(error)
        self._exchange.complete_directly(request, environ["PATH_INFO"], response)
        return response(environ, start_response)

    def is_open(self) -> bool:
        """Return whether there is no hook that the path would skip; checked before each request, so it must be fast."""
        app = self._app
        for signal in _SIGNALS:
            if signal.receivers:
                return False
        if (
            app.before_request_funcs.get(None) != self._before
            or app.after_request_funcs.get(None) != self._after
            or app.teardown_request_funcs.get(None)
            or app.url_value_preprocessors.get(None)
            or app.teardown_appcontext_funcs
            or app.error_handler_spec[None][None] != self._error_handlers
        ):
            return False
        for name in self._blueprints:
            if (
                app.before_request_funcs.get(name)
                or app.after_request_funcs.get(name)
                or app.teardown_request_funcs.get(name)
                or app.url_value_preprocessors.get(name)
                or app.error_handler_spec.get(name)
            ):
                return False
        return True


def _short(app: Flask, route: Route) -> _Short:
    method, path = route
    for rule in app.url_map.iter_rules():
        if rule.rule == path and method in (rule.methods or ()) and not rule.arguments:
            view: Any = app.view_functions[rule.endpoint]
            return _Short(rule.endpoint, view, view.__fastcheck_handler__)
    raise KeyError(f"there is no route {method} {path} without values in its path")
