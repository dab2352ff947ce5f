"""Settings: typed, read once from ``FASTCHECK_*``, complete or the process does not start.

The docstring below a field is its description in ``docs/reference/settings.md``.
"""

import sys
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "FASTCHECK_"


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


#: A list that is written with commas in the environment.
CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class FromEnvironment(BaseSettings):
    """The base of all groups of settings; a service's settings are made of the groups that it needs."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True, use_attribute_docstrings=True
    )


class Settings(FromEnvironment):
    """Settings that every process of every service reads."""

    environment: Literal["production", "sandbox"] = "production"
    """`sandbox`, which `fastcheck up` sets, permits the sandbox bank and test credentials of banks."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Minimum severity of log lines."""
    clock_offset_seconds: int = 0
    """Offset of the process's clock, to test expiration. Forbidden in production."""

    def model_post_init(self, _context: object) -> None:
        if self.environment == "production" and self.clock_offset_seconds:
            raise ValueError("FASTCHECK_CLOCK_OFFSET_SECONDS is for tests: production runs on the real clock")

    @classmethod
    def load(cls) -> Self:
        """Read the environment; on a gap, end the process with a sentence that names each variable."""
        try:
            return cls()
        except ValidationError as error:
            lines = [f"  {PREFIX}{_name(e['loc'])}: {e['msg']}" for e in error.errors(include_input=False)]
            sys.exit(f"{cls.__module__}: settings are not complete:\n" + "\n".join(lines))


def _name(location: tuple[int | str, ...]) -> str:
    return str(location[0]).upper() if location else "*"


class DatabaseSettings(FromEnvironment):
    """Limits of the connection pool of one process."""

    database_pool_size: int = 16
    """Maximum number of database connections per process."""
    database_pool_timeout_seconds: float = 1.5
    """Maximum wait for a free connection; then the request gets `503`."""
    database_statement_timeout_seconds: float = 10.0
    """Maximum duration of one SQL statement."""


class BusSettings(FromEnvironment):
    """The message broker, the outbox and the inbox."""

    broker_url: SecretStr
    """URL of the message broker: `redis://…`, or `amqp://…` for RabbitMQ 3.10 or newer."""
    outbox_batch_size: int = 200
    """Maximum number of events in one message."""
    outbox_resend_seconds: float = 5.0
    """Delay before an unacknowledged event is sent again for the first time. The delay doubles with each attempt."""
    outbox_resend_max_seconds: float = 20.0
    """Maximum delay between two attempts to send an event."""
    outbox_max_queue_depth: int = 1_000
    """Number of messages in a subscriber's queue at which the relay pauses."""
    inbox_max_attempts: int = 5
    """Failed attempts after which an event is parked. Transient errors (lock or connection lost) do not count."""


class GroupSettings(FromEnvironment):
    """Whether concurrent requests of one process share transactions and calls."""

    group_commit: bool = True
    """Whether concurrent requests of one process share statements, commits and calls under load."""


class CallerSettings(FromEnvironment):
    """Public keys of all callers, to verify their tokens."""

    token_public_keys: dict[str, str]
    """JSON object of the callers' Ed25519 public keys: `{"gateway": "<base64 of 32 bytes>", …}`."""


class HttpSettings(FromEnvironment):
    """Limits of the calls from one process to other services."""

    http_pool_size: int = 32
    """Maximum number of connections to each service."""
    http_connect_timeout_seconds: float = 1.0
    """Maximum time to connect to another service."""
    http_timeout_seconds: float = 5.0
    """Maximum duration of a call to another service."""
