"""Structured logging: one JSON line per request, event and task, with a constant event name."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final

import structlog

from common.core import trace

#: Fields whose values are redacted.
SECRET_FIELDS = frozenset(
    {"password", "code", "session_id", "sessionid", "authorization", "token", "secret", "card_number", "cvc", "pan"}
)


#: Shared: ``json.dumps`` with a ``default`` creates an encoder per call.
_JSON: Final = json.JSONEncoder(default=repr)


#: Levels of the standard library by structlog's method names, where they differ.
_LEVELS: Final = {"warn": "warning", "exception": "error"}


def configure_logging(service: str, level: str) -> None:
    """Send structlog and the standard library's logging to stdout as JSON lines, marked with ``service``."""

    def complete(_logger: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        # A single processor: a line is written per request, and each processor adds to its cost.
        event["service"] = service
        event.update(trace.current())
        event["level"] = _LEVELS.get(method, method)
        event["timestamp"] = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        if not SECRET_FIELDS.isdisjoint(map(str.lower, event)):
            event.update({field: "[redacted]" for field in event if field.lower() in SECRET_FIELDS})
        return structlog.processors.format_exc_info(_logger, method, event) if "exc_info" in event else event

    def render(logger: object, method: str, event: structlog.typing.EventDict) -> str:
        return _JSON.encode(complete(logger, method, event))

    structlog.configure(
        processors=[render],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stdout),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processor=structlog.processors.JSONRenderer(_encode), foreign_pre_chain=[complete]
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _encode(event: structlog.typing.EventDict, **_options: object) -> str:
    return _JSON.encode(event)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a module's logger: ``log.info(log_events.CHECK_ACCEPTED, check_id=...)``."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(logger_name=name)
    return logger
