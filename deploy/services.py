"""The processes of a system: every service, its processes, and the settings of each.

This is the one list; the launcher, the provisioning, ``make env`` and the test of docker-compose.yml read it.
"""

from dataclasses import dataclass
from typing import Final

#: The issuers of tokens and the senders on the bus, each with a private key. The operator is the user of the command
#: line. Balance calls no service: its key signs messages.
CALLERS: Final = ("gateway", "checks", "payments", "webhooks", "operator", "balance")

#: The role that can read every database and write to none.
AUDITOR: Final = "auditor"

#: Passed to every process.
COMMON_VARIABLES: Final = ("FASTCHECK_ENVIRONMENT", "FASTCHECK_LOG_LEVEL")

_TOKENS = "FASTCHECK_TOKEN_PUBLIC_KEYS"
_BROKER = "FASTCHECK_BROKER_URL"
#: Credentials that payments and the sandbox bank share.
_YOOKASSA = ("FASTCHECK_YOOKASSA_SHOP_ID", "FASTCHECK_YOOKASSA_SECRET_KEY")
_SBER = ("FASTCHECK_SBER_USER_NAME", "FASTCHECK_SBER_PASSWORD", "FASTCHECK_SBER_CALLBACK_SECRET")


@dataclass(frozen=True, slots=True)
class Service:
    """One service: its web process, its processes on the bus, and its variables, secrets included."""

    name: str
    variables: tuple[str, ...]
    #: Passed if the user has set them.
    may_have: tuple[str, ...] = ()
    bus_roles: tuple[str, ...] = ()
    has_database: bool = True
    web_workers: int = 1
    web_threads: int = 16
    #: Whether replicas can run. The sandbox bank runs once, because it stands for an external system.
    is_replicated: bool = True

    @property
    def database(self) -> str:
        return f"fastcheck_{self.name}"

    @property
    def database_variable(self) -> str:
        return f"FASTCHECK_{self.name.upper()}_DATABASE_URL"

    @property
    def migration_database_variable(self) -> str:
        """The URL of PostgreSQL itself with the migration role, which no process of the service gets."""
        return f"FASTCHECK_{self.name.upper()}_MIGRATION_DATABASE_URL"

    @property
    def direct_database_variable(self) -> str:
        """The URL of PostgreSQL itself, where the other leads to a pooler."""
        return f"FASTCHECK_{self.name.upper()}_DIRECT_DATABASE_URL"

    @property
    def broker_variable(self) -> str:
        """What a process of the service gets as FASTCHECK_BROKER_URL, with the service's own user of the broker."""
        return f"FASTCHECK_{self.name.upper()}_BROKER_URL"

    @property
    def url_variable(self) -> str:
        return f"FASTCHECK_{self.name.upper()}_URL"


#: In the order of starting, which is reversed for stopping: the gateway starts last and stops first.
SERVICES: Final = (
    Service(
        name="balance",
        variables=("FASTCHECK_BALANCE_DATABASE_URL", _BROKER, _TOKENS, "FASTCHECK_BALANCE_TOKEN_KEY"),
        bus_roles=("worker", "scheduler"),
    ),
    Service(
        name="accounts",
        variables=("FASTCHECK_ACCOUNTS_DATABASE_URL", _TOKENS),
        # More threads than can wait for a password hash, so that sessions are still verified.
        web_threads=56,
    ),
    Service(
        name="checks",
        variables=(
            "FASTCHECK_CHECKS_DATABASE_URL",
            _BROKER,
            _TOKENS,
            "FASTCHECK_CHECKS_TOKEN_KEY",
            "FASTCHECK_BALANCE_URL",
            "FASTCHECK_CODE_KEYS",
            "FASTCHECK_PUBLIC_URL",
        ),
        bus_roles=("worker", "scheduler", "relay"),
        # A group consists of requests that wait in threads.
        web_threads=64,
    ),
    Service(
        name="payments",
        variables=(
            "FASTCHECK_PAYMENTS_DATABASE_URL",
            _BROKER,
            _TOKENS,
            "FASTCHECK_PAYMENTS_TOKEN_KEY",
            "FASTCHECK_BALANCE_URL",
            "FASTCHECK_PUBLIC_URL",
            "FASTCHECK_RETURN_ORIGINS",
            "FASTCHECK_BANK",
            "FASTCHECK_BANKS",
            "FASTCHECK_TBANK_TERMINAL_KEY",
            "FASTCHECK_TBANK_PASSWORD",
            "FASTCHECK_TBANK_URL",
            *_YOOKASSA,
            "FASTCHECK_YOOKASSA_URL",
            "FASTCHECK_YOOKASSA_MORE_NETWORKS",
            *_SBER,
            "FASTCHECK_SBER_URL",
        ),
        may_have=(
            "FASTCHECK_SBER_TOKEN",
            "FASTCHECK_SBER_JSON_REQUESTS",
            "FASTCHECK_SBER_CALLBACK_PUBLIC_KEY",
        ),
        bus_roles=("worker", "scheduler", "relay"),
    ),
    Service(
        name="webhooks",
        variables=(
            "FASTCHECK_WEBHOOKS_DATABASE_URL",
            _BROKER,
            _TOKENS,
            "FASTCHECK_WEBHOOKS_TOKEN_KEY",
            "FASTCHECK_WEBHOOK_KEYS",
            "FASTCHECK_CHECKS_URL",
            "FASTCHECK_PAYMENTS_URL",
        ),
        may_have=("FASTCHECK_WEBHOOK_ALLOWED_NETWORKS",),
        bus_roles=("worker", "scheduler"),
    ),
    Service(
        name="sandbox_bank",
        variables=(
            "FASTCHECK_SANDBOX_BANK_DATABASE_URL",
            "FASTCHECK_SANDBOX_BANK_URL",
            "FASTCHECK_PUBLIC_URL",
            "FASTCHECK_TBANK_TERMINAL_KEY",
            "FASTCHECK_TBANK_PASSWORD",
            *_YOOKASSA,
            *_SBER,
        ),
        may_have=("FASTCHECK_SANDBOX_BANK_SBER_PRIVATE_KEY",),
        is_replicated=False,
    ),
    Service(
        name="gateway",
        variables=(
            "FASTCHECK_CACHE_URL",
            "FASTCHECK_GATEWAY_TOKEN_KEY",
            "FASTCHECK_PUBLIC_URL",
            "FASTCHECK_ACCOUNTS_URL",
            "FASTCHECK_BALANCE_URL",
            "FASTCHECK_CHECKS_URL",
            "FASTCHECK_PAYMENTS_URL",
            "FASTCHECK_WEBHOOKS_URL",
        ),
        may_have=("FASTCHECK_CLIENT_ADDRESS_HEADER", "FASTCHECK_CORS_ORIGINS"),
        has_database=False,
        # More threads than can wait for passwords and bodies, so that reads are still served.
        web_threads=64,
    ),
)

BY_NAME: Final = {service.name: service for service in SERVICES}
DATABASES: Final = tuple(service.name for service in SERVICES if service.has_database)
#: The services that use the broker.
BUS: Final = tuple(service.name for service in SERVICES if service.bus_roles)
GATEWAY: Final = "gateway"
#: The variable of a process for the broker.
BROKER_VARIABLE: Final = _BROKER
