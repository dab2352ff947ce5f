"""What every request has in common: its id and trace, default headers, its log line and its duration metric."""

from collections.abc import Mapping
from time import perf_counter

from flask import Flask
from flask import Response as FlaskResponse
from flask import request as flask_request

from common import log_events
from common.core.logging import get_logger
from common.http.server import health, metrics
from common.http.server.request import ENVIRON_KEY, Request, begin_request
from common.http.server.response import Response

log = get_logger(__name__)


class Exchange:
    """The hooks of Flask that begin and complete a request, and the same for a response without Flask."""

    def __init__(self, app: Flask, headers: Mapping[str, str]) -> None:
        """``headers`` are added to every response that does not set them itself."""
        self._app = app
        self._headers = dict(headers)

    def register(self) -> None:
        """Register the hooks. Flask calls them around all others if they are registered first."""
        self._app.before_request(self.begin)
        self._app.after_request(self.complete)

    def begin(self) -> None:
        """Create the request that views receive."""
        environ = flask_request.environ
        environ[ENVIRON_KEY] = begin_request(self._app, environ)

    def complete(self, response: FlaskResponse) -> FlaskResponse:
        """Add the headers and record the request."""
        request: Request = flask_request.environ[ENVIRON_KEY]
        for name, value in self._headers.items():
            response.headers.setdefault(name, value)
        response.headers["X-Request-ID"] = request.request_id
        if request.response_headers:
            response.headers.update(request.response_headers)
        rule = flask_request.url_rule
        _record(request, rule.rule if rule else "(none)", response.status_code)
        return response

    def complete_directly(self, request: Request, route: str, response: Response) -> None:
        """Do the same as ``complete`` for a request that Flask did not dispatch."""
        own = request.response_headers or {}
        response.headers = {**self._headers, **response.headers, "X-Request-ID": request.request_id, **own}
        _record(request, route, response.status)


def _record(request: Request, route: str, status: int) -> None:
    seconds, method = perf_counter() - request.started_at, request.environ["REQUEST_METHOD"]
    metrics.observe_request(method, route, status, seconds)
    if route != health.ROUTE:
        log.info(log_events.REQUEST, method=method, route=route, status=status, duration_ms=round(seconds * 1000, 2))
