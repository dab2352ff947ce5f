"""What docker-compose.yml needs: the names it uses, and the variables that ``make env`` writes for it."""

from typing import Final

from deploy.auditor import AUDITED, auditor_url, variable
from deploy.credentials import Credentials
from deploy.environment import database_url, system_settings
from deploy.provisioning import AUDITOR_ROLE
from deploy.services import AUDITOR, SERVICES

#: Inside of the containers. Only the gateway's is published.
WEB_HOST: Final = "0.0.0.0"  # noqa: S104 (a container has a network of its own)
WEB_PORT: Final = 8000
OPERATOR_PORT: Final = 9000
ADDRESSES: Final = {
    "postgres": "postgres:5432",
    "redis": "redis:6379",
    **{service.name: f"{service.name}-web:{WEB_PORT}".replace("_", "-") for service in SERVICES},
}
PUBLIC_URL: Final = f"http://localhost:{WEB_PORT}"


def env_file(credentials: Credentials) -> dict[str, str]:
    """Return the content of ``.env``: every secret, and every address that contains one."""
    settings = system_settings(credentials, ADDRESSES, public_url=PUBLIC_URL, user={})
    shared = {name: value for name, value in settings.items() if name != "FASTCHECK_LOG_LEVEL"}
    administrator = database_url("postgres", credentials.postgres_password, ADDRESSES["postgres"])
    auditor = database_url(AUDITOR_ROLE, credentials.role_passwords[AUDITOR], ADDRESSES["postgres"])
    return {
        **shared,
        "POSTGRES_PASSWORD": credentials.postgres_password,
        "REDIS_PASSWORD": credentials.redis_password,
        "FASTCHECK_ADMINISTRATOR_DATABASE_URL": administrator.replace("+psycopg2", ""),
        "FASTCHECK_AUDITOR_DATABASE_URL": auditor,
        **{
            variable(name): auditor_url(name, credentials.role_passwords[AUDITOR], ADDRESSES["postgres"])
            for name in AUDITED
        },
    }
