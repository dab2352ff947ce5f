"""One JSON line per request, event and task: a constant message, the facts beside it."""

import json
import logging
import sys
from typing import Any, Final

import structlog

from common.core import trace

#: Fields that must never reach a log, whatever code passes them.
SECRET_FIELDS = frozenset(
    {"password", "code", "session_id", "sessionid", "authorization", "token", "secret", "card_number", "cvc", "pan"}
)


#: Made once: ``json.dumps`` with a ``default`` makes one for every line.
_JSON: Final = json.JSONEncoder(default=repr)


def _redact(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    if not SECRET_FIELDS.isdisjoint(map(str.lower, event)):
        for field in [field for field in event if field.lower() in SECRET_FIELDS]:
            event[field] = "[redacted]"
    return event


def _say_for_whom(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    event.update(trace.current())
    return event


def _render(event: structlog.typing.EventDict, **_options: object) -> str:
    return _JSON.encode(event)


def configure_logging(service: str, level: str) -> None:
    """Send structlog and the standard library's logging to stdout as JSON lines, marked with ``service``."""

    def name_service(_l: object, _m: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["service"] = service
        return event

    shared: list[Any] = [
        name_service,
        _say_for_whom,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, structlog.processors.JSONRenderer(_render)],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stdout),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processor=structlog.processors.JSONRenderer(_render),
            foreign_pre_chain=[*shared, structlog.processors.format_exc_info],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of one module; ``log.info("check accepted", check_id=...)``."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(logger_name=name)
    return logger
