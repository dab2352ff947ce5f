"""One JSON line per request, event and task: a constant message, the facts beside it."""

import logging
import sys
from typing import Any

import structlog

#: Fields that must never reach a log, whatever code passes them.
SECRET_FIELDS = frozenset(
    {"password", "code", "session_id", "sessionid", "authorization", "token", "secret", "card_number", "cvc", "pan"}
)


def _redact(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for field in SECRET_FIELDS & {key.lower() for key in event}:
        event[field] = "[redacted]"
    return event


def configure_logging(service: str, level: str) -> None:
    """Send structlog and the standard library's logging to stdout as JSON lines, marked with ``service``."""

    def name_service(_l: object, _m: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["service"] = service
        return event

    shared: list[Any] = [
        name_service,
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stdout),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processor=structlog.processors.JSONRenderer(),
            foreign_pre_chain=[*shared, structlog.processors.format_exc_info],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of one module; ``log.info("check accepted", check_id=...)``."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(logger_name=name)
    return logger
