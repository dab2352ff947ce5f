"""What docker-compose.yml needs: the names it uses, and the files that ``fastcheck env`` writes for it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from deploy import redis_users
from deploy.auditor import AUDITED, BANK, auditor_url, variable
from deploy.commands import OPERATOR_PORT_VARIABLE
from deploy.credentials import Credentials
from deploy.environment import PREFIX, database_url, is_secret, process_environment, system_settings
from deploy.provisioning import AUDITOR_ROLE
from deploy.services import AUDITOR, BY_NAME, COMMON_VARIABLES, SERVICES, Service

#: Inside of the containers. Only the gateway's is published.
WEB_HOST: Final = "0.0.0.0"  # noqa: S104 (a container has networks of its own)
WEB_PORT: Final = 8000
OPERATOR_PORT: Final = 9000
ADDRESSES: Final = {
    "postgres": "postgres:5432",
    "redis": "redis:6379",
    **{service.name: f"{service.name}-web:{WEB_PORT}".replace("_", "-") for service in SERVICES},
}
PUBLIC_URL: Final = f"http://localhost:{WEB_PORT}"

#: The folder of the files, and the one of the secrets in it.
FOLDER: Final = "deployment"
SECRETS: Final = "secrets"
#: Where Compose mounts secrets.
MOUNTED: Final = "/run/secrets"
HEAD_FILE: Final = "/var/lib/fastcheck/chain-head"

#: In ``common.env``, which every process of a service reads.
SHARED: Final = (*COMMON_VARIABLES, "FASTCHECK_PUBLIC_URL", "FASTCHECK_TOKEN_PUBLIC_KEYS")
ADMINISTRATOR_VARIABLE: Final = "FASTCHECK_ADMINISTRATOR_DATABASE_URL"
AUDITOR_VARIABLE: Final = "FASTCHECK_AUDITOR_DATABASE_URL"
OPERATOR_KEY_VARIABLE: Final = "FASTCHECK_OPERATOR_TOKEN_KEY"

#: What each bank requires; see the settings of its adapter.
BANK_VARIABLES: Final = {
    "tbank": ("FASTCHECK_TBANK_TERMINAL_KEY", "FASTCHECK_TBANK_PASSWORD"),
    "yookassa": ("FASTCHECK_YOOKASSA_SHOP_ID", "FASTCHECK_YOOKASSA_SECRET_KEY"),
    "sber": ("FASTCHECK_SBER_USER_NAME", "FASTCHECK_SBER_PASSWORD"),
}
#: Settings of a system with the sandbox bank that a production system must not inherit.
_SANDBOX_PREFIXES: Final = tuple(f"{PREFIX}{bank.upper()}_" for bank in BANK_VARIABLES)
_SANDBOX_NAMES: Final = (
    "FASTCHECK_BANKS",
    "FASTCHECK_SANDBOX_BANK_URL",
    "FASTCHECK_SANDBOX_BANK_DATABASE_URL",
    "FASTCHECK_SANDBOX_BANK_MIGRATION_DATABASE_URL",
)


@dataclass(frozen=True, slots=True)
class Files:
    """The files of an installation. A value may be empty: the operator has to fill it in."""

    #: Of each ``NAME.env`` in the folder: its variables.
    env: dict[str, dict[str, str]] = field(default_factory=dict)
    #: By the name of the secret.
    secrets: dict[str, str] = field(default_factory=dict)

    def add(self, owner: str, name: str, values: Mapping[str, str]) -> None:
        """Add variables to ``name.env``; secrets become files, which the variables name."""
        variables = self.env.setdefault(name, {})
        for each, value in values.items():
            if is_secret(each):
                secret = secret_name(owner, each)
                self.secrets[secret] = value
                variables[f"{each}_FILE"] = f"{MOUNTED}/{secret}"
            else:
                variables[each] = value


def secret_name(owner: str, name: str) -> str:
    """Return the name of a service's secret: ``checks_database_url``, ``checks_broker_url``."""
    short = name.removeprefix(PREFIX).lower()
    return short if not owner or short.startswith(f"{owner}_") else f"{owner}_{short}"


def files(credentials: Credentials, environment: str, user: Mapping[str, str]) -> Files:
    """Return the files of an installation with these credentials; settings of ``user`` take precedence."""
    settings = installation_settings(credentials, environment, user)
    found = Files()
    found.env["common"] = {
        **{name: settings.get(name, "") for name in SHARED},
        OPERATOR_PORT_VARIABLE: str(OPERATOR_PORT),
        "FASTCHECK_METRICS_HOST": WEB_HOST,
    }
    for service in services_of(environment):
        found.add(service.name, service.name, _service_variables(service, settings))
    for service in services_of(environment):
        if service.has_database:
            owner, role = service.migration_database_variable, service.database_variable
            found.add(service.name, "migrate", {owner: settings[owner]})
            found.add(service.name, "provision", {role: settings[role], owner: settings[owner]})
    found.add("", "provision", _administration(credentials, settings))
    found.add("", AUDITOR, _auditor_variables(credentials, environment, settings))
    _add_operator(found, credentials, settings)
    found.secrets["postgres_password"] = credentials.postgres_password
    found.secrets["redis_password"] = credentials.redis_password
    found.secrets["redis_users"] = redis_users.configuration(credentials.redis_passwords)
    return found


def services_of(environment: str) -> Iterable[Service]:
    """Return the services of an installation."""
    return [service for service in SERVICES if service.name != BANK or environment == "sandbox"]


def installation_settings(credentials: Credentials, environment: str, user: Mapping[str, str]) -> dict[str, str]:
    """Return all settings of an installation. In production, what only the operator knows is empty."""
    settings = system_settings(credentials, ADDRESSES, public_url=PUBLIC_URL, user=user)
    settings["FASTCHECK_ENVIRONMENT"] = environment
    if environment == "production":
        own = {
            name: value
            for name, value in settings.items()
            if name in user or not (name.startswith(_SANDBOX_PREFIXES) or name in _SANDBOX_NAMES)
        }
        public_url = user.get("FASTCHECK_PUBLIC_URL", "")
        banks = required_by_banks(own)
        return {
            **dict.fromkeys(banks, ""),
            **own,
            "FASTCHECK_PUBLIC_URL": public_url,
            "FASTCHECK_RETURN_ORIGINS": user.get("FASTCHECK_RETURN_ORIGINS", public_url),
        }
    return settings


def required_by_banks(settings: Mapping[str, str]) -> list[str]:
    """Return the variables that the enabled banks require."""
    enabled = [settings.get("FASTCHECK_BANK", ""), *settings.get("FASTCHECK_BANKS", "").split(",")]
    return [name for bank in dict.fromkeys(enabled) for name in BANK_VARIABLES.get(bank.strip(), ())]


def _service_variables(service: Service, settings: Mapping[str, str]) -> dict[str, str]:
    environment = process_environment(service, settings)
    found = {name: value for name, value in environment.items() if name.startswith(PREFIX) and name not in SHARED}
    # Compose mounts them in any case: the file of one that is not used is empty.
    unused = {name: "" for name in (*service.variables, *service.may_have) if is_secret(name)}
    return {**unused, **found}


def _administration(credentials: Credentials, settings: Mapping[str, str]) -> dict[str, str]:
    administrator = database_url("postgres", credentials.postgres_password, ADDRESSES["postgres"])
    auditor = database_url(AUDITOR_ROLE, credentials.role_passwords[AUDITOR], ADDRESSES["postgres"])
    return {
        ADMINISTRATOR_VARIABLE: settings.get(ADMINISTRATOR_VARIABLE, administrator.replace("+psycopg2", "")),
        AUDITOR_VARIABLE: settings.get(AUDITOR_VARIABLE, auditor),
    }


def _auditor_variables(credentials: Credentials, environment: str, settings: Mapping[str, str]) -> dict[str, str]:
    audited = (*AUDITED, BANK) if environment == "sandbox" else AUDITED
    password = credentials.role_passwords[AUDITOR]
    urls = {variable(name): auditor_url(name, password, ADDRESSES["postgres"]) for name in audited}
    return {
        **{name: settings.get(name, url) for name, url in urls.items()},
        "FASTCHECK_AUDIT_HEAD_FILE": HEAD_FILE,
    }


def _add_operator(found: Files, credentials: Credentials, settings: Mapping[str, str]) -> None:
    """Add the variables of the operator's commands (``fastcheck events`` and ``payments``)."""
    for name in AUDITED:
        database = BY_NAME[name].database_variable
        found.add(name, "operator", {database: settings[database]})
    payments = BY_NAME["payments"].url_variable
    key = settings.get(OPERATOR_KEY_VARIABLE, credentials.token_keys["operator"])
    found.add("", "operator", {payments: settings[payments], OPERATOR_KEY_VARIABLE: key})
