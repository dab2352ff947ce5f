"""Settings: typed, read once from ``FASTCHECK_*``, complete or the process does not start."""

import sys
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from common.core.money import MINOR_DIGITS

PREFIX = "FASTCHECK_"


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


#: A list that is written with commas in the environment.
CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class FromEnvironment(BaseSettings):
    """The base of all groups of settings; a service's settings are made of the groups that it needs."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True)


class Settings(FromEnvironment):
    """What every process of every service reads."""

    environment: Literal["production", "sandbox"] = "production"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    clock_offset_seconds: int = 0
    currencies: CommaSeparated = ("RUB",)

    def model_post_init(self, _context: object) -> None:
        unknown = set(self.currencies) - set(MINOR_DIGITS)
        if unknown or not self.currencies:
            raise ValueError(f"FASTCHECK_CURRENCIES: unknown or empty: {', '.join(sorted(unknown)) or 'empty'}")

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
    """Bounds of the connection pool of one process."""

    database_pool_size: int = 16
    database_pool_timeout_seconds: float = 1.5
    database_statement_timeout_seconds: float = 10.0


class BusSettings(FromEnvironment):
    """The broker, and how the outbox behaves towards it."""

    broker_url: SecretStr
    outbox_batch_size: int = 200
    outbox_resend_seconds: float = 5.0
    outbox_resend_max_seconds: float = 20.0
    outbox_max_queue_depth: int = 1_000
    inbox_max_attempts: int = 5
    inbox_retention_days: int = 30
    outbox_retention_hours: int = 168


class CallerSettings(FromEnvironment):
    """Public keys of all callers, to check their tokens: ``{"gateway": "<base64, 32 bytes>", ...}``."""

    token_public_keys: dict[str, str]


class HttpSettings(FromEnvironment):
    """Bounds of the calls from one process to other services."""

    http_pool_size: int = 32
    http_connect_timeout_seconds: float = 1.0
    http_timeout_seconds: float = 5.0
