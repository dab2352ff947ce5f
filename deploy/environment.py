"""The environment variables of every process.

A process gets the variables of its own service and no others: a compromised service holds no other
service's password. Variables that the user has set take precedence.
"""

import json
import os
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from common.db.rights import migration_role
from deploy import redis_users
from deploy.credentials import Credentials
from deploy.services import BROKER_VARIABLE, BUS, BY_NAME, COMMON_VARIABLES, DATABASES, GATEWAY, SERVICES, Service

PREFIX: Final = "FASTCHECK_"

#: Numbered databases of the Redis server: a flush of the cache must not touch the broker.
BROKER_DATABASE: Final = 0
CACHE_DATABASE: Final = 1

#: Addresses from which YooKassa notifications, which have no signature, are accepted: this machine and its containers.
SANDBOX_NETWORKS: Final = "127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16"

#: Variables of the user's environment that every process needs.
PASSED_ON: Final = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")

#: Variables that only some services get.
_OWNED: Final = frozenset(
    name
    for service in SERVICES
    for name in (
        *service.variables,
        *service.may_have,
        service.url_variable,
        service.direct_database_variable,
        service.broker_variable,
    )
)
#: Variables with these suffixes are secrets.
_SECRET_ENDINGS: Final = (
    "_DATABASE_URL",
    "_BROKER_URL",
    "_CACHE_URL",
    "_TBANK_PASSWORD",
    "_SBER_PASSWORD",
    "_TOKEN_KEY",
    "_WEBHOOK_KEYS",
    "_CODE_KEYS",
    "_PRIVATE_KEY",
    "_SECRET_KEY",
    "_SECRET",
    "_SBER_TOKEN",
)


def user_settings(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the ``FASTCHECK_*`` variables that the user has set to a value."""
    return {
        name: value
        for name, value in (os.environ if environ is None else environ).items()
        if name.startswith(PREFIX) and value
    }


def system_settings(
    credentials: Credentials,
    addresses: Mapping[str, str],
    *,
    public_url: str,
    user: Mapping[str, str],
) -> dict[str, str]:
    """Return all settings of a system; those of ``user`` take precedence.

    ``addresses`` says where everything listens, as ``host:port`` by the name of a service, "postgres", "redis", and
    "pgbouncer" if the services connect through it.
    """
    public_url = user.get("FASTCHECK_PUBLIC_URL", public_url)
    settings = {
        "FASTCHECK_ENVIRONMENT": "sandbox",
        "FASTCHECK_LOG_LEVEL": "INFO",
        "FASTCHECK_PUBLIC_URL": public_url,
        "FASTCHECK_RETURN_ORIGINS": public_url,
        "FASTCHECK_BANK": "tbank",
        "FASTCHECK_BANKS": "tbank,yookassa,sber",
        "FASTCHECK_TBANK_TERMINAL_KEY": credentials.tbank_terminal_key,
        "FASTCHECK_TBANK_PASSWORD": credentials.tbank_password,
        "FASTCHECK_TBANK_URL": f"http://{addresses['sandbox_bank']}/v2/",
        "FASTCHECK_YOOKASSA_SHOP_ID": "100500",
        "FASTCHECK_YOOKASSA_SECRET_KEY": credentials.yookassa_secret_key,
        "FASTCHECK_YOOKASSA_URL": f"http://{addresses['sandbox_bank']}/v3/",
        "FASTCHECK_YOOKASSA_MORE_NETWORKS": SANDBOX_NETWORKS,
        "FASTCHECK_SBER_USER_NAME": "fastcheck-api",
        "FASTCHECK_SBER_PASSWORD": credentials.sber_password,
        "FASTCHECK_SBER_CALLBACK_SECRET": credentials.sber_callback_secret,
        "FASTCHECK_SBER_URL": f"http://{addresses['sandbox_bank']}/payment/rest/",
        "FASTCHECK_CODE_KEYS": credentials.code_keys,
        "FASTCHECK_WEBHOOK_KEYS": credentials.webhook_keys,
        "FASTCHECK_TOKEN_PUBLIC_KEYS": json.dumps(credentials.public_keys(), separators=(",", ":")),
        "FASTCHECK_CACHE_URL": redis_users.url(
            GATEWAY, credentials.redis_passwords[GATEWAY], addresses["redis"], CACHE_DATABASE
        ),
    }
    for caller, key in credentials.token_keys.items():
        settings[f"FASTCHECK_{caller.upper()}_TOKEN_KEY"] = key
    if BROKER_VARIABLE not in user:
        for name in BUS:
            settings[BY_NAME[name].broker_variable] = redis_users.url(
                name, credentials.redis_passwords[name], addresses["redis"], BROKER_DATABASE
            )
    for service in SERVICES:
        settings[service.url_variable] = f"http://{addresses[service.name]}"
    for name in DATABASES:
        service, password = BY_NAME[name], credentials.role_passwords[name]
        settings[service.database_variable] = database_url(
            service.database, password, addresses.get("pgbouncer", addresses["postgres"])
        )
        if service.database_variable not in user:
            # Of another server, which the user names, only the user knows the migration role.
            settings[service.migration_database_variable] = database_url(
                migration_role(name),
                credentials.owner_passwords[name],
                addresses["postgres"],
                database=service.database,
            )
        if "pgbouncer" in addresses:
            settings[service.direct_database_variable] = database_url(service.database, password, addresses["postgres"])
    return {**settings, **user}


def process_environment(service: Service, settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process of ``service``."""
    names = {
        *COMMON_VARIABLES,
        *service.variables,
        *service.may_have,
        *([service.direct_database_variable] if service.has_database else []),
        *filter(_is_for_everybody, settings),
    }
    if BROKER_VARIABLE in names and service.broker_variable in settings:
        settings = {**settings, BROKER_VARIABLE: settings[service.broker_variable]}
    return {
        **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
        "PYTHONUNBUFFERED": "1",
        # By default glibc uses an arena per thread, which doubles the memory of a process with 16 threads.
        "MALLOC_ARENA_MAX": "2",
        **{name: settings[name] for name in sorted(names) if name in settings},
    }


def migration_environment(service: Service, settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the migrations of ``service``: the one URL that they need."""
    names = {*COMMON_VARIABLES, service.migration_database_variable}
    return {
        **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
        **{name: settings[name] for name in sorted(names) if name in settings},
    }


def is_secret(name: str) -> bool:
    """Return whether the value of a variable is secret."""
    return name.endswith(_SECRET_ENDINGS)


def _is_for_everybody(name: str) -> bool:
    """Return whether the user has set the variable and it belongs to no single service."""
    return name not in _OWNED and not is_secret(name)


def database_url(role: str, password: str, address: str, *, database: str | None = None) -> str:
    """Return the SQLAlchemy URL of a database, by default the one named as the role; ``address`` is ``host:port``."""
    return f"postgresql+psycopg2://{role}:{quote(password)}@{address}/{database or role}"
