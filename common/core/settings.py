"""Settings: typed, read once from ``FASTCHECK_*``, complete or the process does not start.

The docstring below a field is its description in ``docs/reference/settings.md``.
"""

import sys
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, FilePath, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from common.core.secret_files import SecretFilesSource, UnreadableSecret

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

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  the base class names it
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read variables, and the files that ``FASTCHECK_*_FILE`` variables name."""
        return init_settings, env_settings, SecretFilesSource(settings_cls)


class PublicUrlSettings(FromEnvironment):
    """The address of the system, for services that build links to it."""

    public_url: str = Field(pattern=r"^https?://")
    """URL at which browsers and banks reach the gateway. Production requires `https://`."""


class OperatorPortSettings(FromEnvironment):
    """The port on which a process serves its health and metrics to operators."""

    metrics_port: int | None = Field(default=None, ge=1, le=65_535)
    """Operator port of a process: `GET /healthz`, `GET /readyz`, `GET /metrics`. Without it, there is none."""
    metrics_host: str = "127.0.0.1"
    """Address of the operator port."""
    stalled_after_seconds: float = Field(default=60.0, gt=0)
    """Time without progress of a loop after which `/healthz` reports the process as not alive."""


class Settings(OperatorPortSettings):
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
        # Of services with PublicUrlSettings: sessions and codes pass there.
        public_url: str = getattr(self, "public_url", "")
        if self.environment == "production" and public_url.startswith("http://"):
            raise ValueError("FASTCHECK_PUBLIC_URL: production requires https://")

    @classmethod
    def load(cls) -> Self:
        """Read the environment; on a gap, end the process with a sentence that names each variable."""
        try:
            return cls()
        except UnreadableSecret as error:
            sys.exit(f"{cls.__module__}: {error}")
        except ValidationError as error:
            lines = [f"  {PREFIX}{_name(e['loc'])}: {e['msg']}" for e in error.errors(include_input=False)]
            sys.exit(f"{cls.__module__}: settings are not complete:\n" + "\n".join(lines))


def _name(location: tuple[int | str, ...]) -> str:
    return str(location[0]).upper() if location else "*"


class TlsSettings(FromEnvironment):
    """The files with which a process verifies servers and identifies itself: services, Redis and RabbitMQ.

    PostgreSQL's client reads its files from the parameters of its URL.
    """

    tls_ca: FilePath | None = None
    """PEM file of the CA that signs the certificates of services, Redis and RabbitMQ. Required for `https://` URLs of
    services. Without it `rediss://` and `amqps://` servers are verified with the CAs of the machine."""
    tls_cert: FilePath | None = None
    """PEM file of the certificate that identifies the process to servers that require one (mutual TLS)."""
    tls_key: FilePath | None = None
    """PEM file of the private key of that certificate."""

    @model_validator(mode="after")
    def _certificate_has_its_key(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError(f"{PREFIX}TLS_CERT and {PREFIX}TLS_KEY are set together or not at all")
        return self


class DatabaseSettings(FromEnvironment):
    """Limits of the connection pool of one process."""

    database_pool_size: int = 16
    """Maximum number of database connections per process."""
    database_pool_timeout_seconds: float = 1.5
    """Maximum wait for a free connection; then the request gets `503`."""


class BusSettings(TlsSettings):
    """The message broker, the outbox and the inbox."""

    broker_url: SecretStr
    """URL of the message broker: `redis://…`, or `amqp://…` for RabbitMQ 3.10 or newer; `rediss://…` and `amqps://…`
    with TLS."""
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
    """JSON object of the Ed25519 public keys of callers and of senders on the bus: `{"gateway": "<base64>", …}`."""


def _service_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError("is not http://host:port or https://host:port")
    return value


def _optional_service_url(value: str) -> str:
    return _service_url(value) if value else value


#: The type of a setting that holds the address of another service; an optional one may be empty.
ServiceUrl = Annotated[str, AfterValidator(_service_url)]
OptionalServiceUrl = Annotated[str, AfterValidator(_optional_service_url)]


class HttpSettings(TlsSettings):
    """Calls from one process to other services."""

    http_timeout_seconds: float = Field(default=5.0, gt=0)
    """Maximum duration of a call to another service, to the last byte of the response."""

    @model_validator(mode="after")
    def _secure_addresses_have_a_ca(self) -> Self:
        for name, field in type(self).model_fields.items():
            validators = {getattr(item, "func", None) for item in field.metadata}
            is_address = not validators.isdisjoint((_service_url, _optional_service_url))
            if is_address and self.tls_ca is None and str(getattr(self, name)).startswith("https:"):
                raise ValueError(f"{PREFIX}{name.upper()} is https, so {PREFIX}TLS_CA is required")
        return self
