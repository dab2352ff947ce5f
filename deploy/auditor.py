"""The auditor's access to the databases: which it reads, under which role, and the variables that name them."""

from typing import Final

from deploy.environment import database_url
from deploy.provisioning import AUDITOR_ROLE
from deploy.services import BY_NAME

#: The services whose databases hold money or decide about it.
AUDITED: Final = ("checks", "payments", "balance")
#: The sandbox bank, whose own records are compared with those of payments where it runs.
BANK: Final = "sandbox_bank"


def variable(service: str) -> str:
    """Return the name of the environment variable that holds the auditor's URL of a service's database."""
    return f"FASTCHECK_AUDIT_{service.upper()}_DATABASE_URL"


def auditor_url(service: str, password: str, address: str) -> str:
    """Return the SQLAlchemy URL of a service's database for the auditor's role; ``address`` is ``host:port``."""
    return database_url(AUDITOR_ROLE, password, address, database=BY_NAME[service].database)
