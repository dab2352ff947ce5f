"""The one place where exceptions become answers."""

import json
from http import HTTPStatus
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from common.core.errors import BusinessError, ServiceUnavailable
from common.core.logging import get_logger
from common.db.errors import is_transient, transient_sqlstate
from common.db.idempotency import REPLAYED_HEADER
from common.http.server.exchange import Answer

log = get_logger(__name__)


def answer_to(error: Exception) -> Answer:
    """The public form of a failure; what nobody foresaw is logged whole, and told as our fault."""
    match error:
        case BusinessError():
            return _refusal(error)
        case HTTPException():
            return _http_error(error)
        case PoolTimeout():
            log.warning("connection pool is full")
            return _refusal(ServiceUnavailable())
        case DBAPIError() if is_transient(error):
            log.warning("database did not serve", sqlstate=transient_sqlstate(error), error=type(error.orig).__name__)
            return _refusal(ServiceUnavailable())
        case _:
            log.error("unexpected error", exc_info=error)
            return _json({"message": "something went wrong on our side", "code": "internal_error"}, 500)


def _refusal(error: BusinessError) -> Answer:
    answer = _json(error.body(), error.status)
    if error.retry_after_seconds is not None:
        answer.headers["Retry-After"] = str(error.retry_after_seconds)
    if error.replayed:
        answer.headers[REPLAYED_HEADER] = "true"
    return answer


def _http_error(error: HTTPException) -> Answer:
    status = error.code or 500
    phrase = HTTPStatus(status).phrase
    body = {"message": phrase.lower(), "code": phrase.lower().replace(" ", "_").replace("-", "_")}
    answer = _json(body, status)
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            answer.headers[name] = value
    return answer


def _json(body: dict[str, Any], status: int) -> Answer:
    content = json.dumps(body, ensure_ascii=False).encode()
    return Answer(status, content, {"Content-Type": "application/json"})
