"""Render exceptions as responses. No other place does."""

import json
from http import HTTPStatus
from typing import Any, Final

from flask import Response as FlaskResponse
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from common import log_events
from common.core.errors import BusinessError, ServiceUnavailable
from common.core.logging import get_logger
from common.db.errors import is_transient, transient_sqlstate
from common.db.idempotency import REPLAYED_HEADER
from common.http.server.response import Response

log = get_logger(__name__)

#: Phrases that differ between versions of Python: the code of the public API is derived from them.
_PHRASES: Final = {413: "request entity too large", 422: "unprocessable entity"}


def render_error(error: Exception) -> Response:
    """Return the public form of an error. An unexpected exception is logged with its traceback; it becomes a 500."""
    match error:
        case BusinessError():
            return _business_error(error)
        case HTTPException():
            return _http_error(error)
        case PoolTimeout():
            log.warning(log_events.CONNECTION_POOL_EXHAUSTED)
            return _business_error(ServiceUnavailable())
        case DBAPIError() if is_transient(error):
            log.warning(
                log_events.DATABASE_UNAVAILABLE, sqlstate=transient_sqlstate(error), error=type(error.orig).__name__
            )
            return _business_error(ServiceUnavailable())
        case _:
            log.error(log_events.UNEXPECTED_ERROR, exc_info=error)
            return _json({"message": "something went wrong on our side", "code": "internal_error"}, 500)


def flask_error(error: Exception) -> FlaskResponse:
    """Handle all exceptions of a Flask application."""
    return render_error(error).as_flask()


def _business_error(error: BusinessError) -> Response:
    response = _json(error.body(), error.status)
    if error.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    if error.replayed:
        response.headers[REPLAYED_HEADER] = "true"
    return response


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    phrase = _PHRASES.get(status) or HTTPStatus(status).phrase.lower()
    body = {"message": phrase, "code": phrase.replace(" ", "_").replace("-", "_")}
    response = _json(body, status)
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    return response


def _json(body: dict[str, Any], status: int) -> Response:
    content = json.dumps(body, ensure_ascii=False).encode()
    return Response(status, content, {"Content-Type": "application/json"})
