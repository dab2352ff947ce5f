"""The Flask application that every service starts from: request ids, logs, metrics, errors, health."""

import json
import re
import secrets
from collections.abc import Callable, Mapping
from http import HTTPStatus
from time import perf_counter
from typing import Any, Final, cast

from flask import Flask, Response, current_app, g, jsonify, request
from flask_openapi3.models.info import Info
from flask_openapi3.models.security_scheme import SecurityScheme
from flask_openapi3.openapi import OpenAPI
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from common.core import trace
from common.core.errors import BusinessError, ServiceUnavailable
from common.core.logging import configure_logging, get_logger
from common.core.settings import Settings
from common.db.retry import sqlstate
from common.web import health, metrics
from common.web.body import MAX_BODY_BYTES
from common.web.idempotency import REPLAYED_HEADER
from common.web.identity import TokenVerifier, anybody
from common.web.lean_flask import LeanFlask
from common.web.schemas import ErrorBody

log = get_logger(__name__)

API_VERSION: Final = "1.0.0"

_REQUEST_ID: Final = re.compile(r"^[A-Za-z0-9._-]{8,64}$")
_TRACEPARENT: Final = re.compile(r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")

#: SQLSTATEs after which the same request may simply be made again (PostgreSQL, appendix A): lock not
#: available, query cancelled, too many connections, shutting down, starting up, conflict, deadlock.
_PASSING: Final = frozenset({"55P03", "57014", "53300", "57P01", "57P02", "57P03", "40001", "40P01", "53100", "25P03"})

SECURITY_SCHEMES: Final[dict[str, SecurityScheme | dict[str, Any]]] = {
    "session": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": 'The JSON object `{"sessionID": "<32 upper-case hex digits>"}`, or `Bearer <sessionID>`.',
    }
}


def create_web_app(
    service: str,
    settings: Settings,
    *,
    title: str,
    verifier: TokenVerifier | None,
    ready: Mapping[str, Callable[[], None]],
) -> OpenAPI:
    """An application with nothing but what all have in common.

    ``verifier`` is None only for a service that takes no calls of other services. ``ready`` names the
    checks of ``/readyz``; each raises when its part does not answer.
    """
    configure_logging(service, settings.log_level)
    app = LeanFlask(
        f"services.{service}",
        info=Info(title=title, version=API_VERSION),
        security_schemes=SECURITY_SCHEMES,
        validation_error_status=400,
        validation_error_model=ErrorBody,
        doc_ui=False,
        static_folder=None,
    )
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    if verifier is not None:
        app.extensions["token_verifier"] = verifier
        app.add_url_rule("/openapi.json", view_func=_own_document)
    app.before_request(_begin)
    app.after_request(_finish)
    _handle_errors(app)
    app.register_blueprint(health.blueprint(ready))
    app.register_blueprint(metrics.blueprint())
    return app


@anybody
def _own_document() -> Response:
    """The service's own OpenAPI document; the gateway makes one of all of them."""
    return jsonify(cast("OpenAPI", current_app).api_doc)


def _begin() -> None:
    environ = request.environ
    given, traceparent = environ.get("HTTP_X_REQUEST_ID", ""), environ.get("HTTP_TRACEPARENT", "")
    request_id = given if _REQUEST_ID.match(given) else secrets.token_hex(16)
    g.started, g.request_id = perf_counter(), request_id
    trace.begin(request_id, traceparent if _TRACEPARENT.match(traceparent) else None)


def _finish(response: Response) -> Response:
    response.headers.add("X-Request-ID", g.request_id)
    seconds = perf_counter() - g.started
    method, rule, status = request.method, request.url_rule, response.status_code
    route = rule.rule if rule else "(none)"
    metrics.observe_request(method, route, status, seconds)
    if route not in health.QUIET_ROUTES:
        log.info("request", method=method, route=route, status=status, duration_ms=round(seconds * 1000, 2))
    return response


def error_response(error: BusinessError) -> Response:
    """The public form of a failure."""
    response = _json(error.body(), error.status)
    if error.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    if error.replayed:
        response.headers[REPLAYED_HEADER] = "true"
    return response


def _json(body: dict[str, Any], status: int) -> Response:
    return Response(json.dumps(body, ensure_ascii=False), status=status, mimetype="application/json")


def _handle_errors(app: Flask) -> None:
    """The one place where exceptions become answers."""
    app.register_error_handler(BusinessError, error_response)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(PoolTimeout, _pool_is_full)
    app.register_error_handler(DBAPIError, _database_error)
    app.register_error_handler(Exception, _bug)


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    phrase = HTTPStatus(status).phrase
    body = {"message": phrase.lower(), "code": phrase.lower().replace(" ", "_").replace("-", "_")}
    response = _json(body, status)
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    return response


def _pool_is_full(_error: PoolTimeout) -> Response:
    log.warning("connection pool is full")
    return error_response(ServiceUnavailable())


def _database_error(error: DBAPIError) -> Response:
    state = sqlstate(error)
    if error.connection_invalidated or state is None or state in _PASSING or state.startswith("08"):
        log.warning("database did not serve", sqlstate=state, error=type(error.orig).__name__)
        return error_response(ServiceUnavailable())
    return _bug(error)


def _bug(error: Exception) -> Response:
    log.error("unexpected error", exc_info=error)
    return _json({"message": "something went wrong on our side", "code": "internal_error"}, 500)
