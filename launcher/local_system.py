"""How to reach the system that runs in a data folder, for the operator's commands."""

from dataclasses import dataclass
from pathlib import Path

from common.http.client.client import TlsFiles
from deploy.credentials import Credentials
from launcher import ports, state, stored_credentials
from launcher.data_dir import DataDir
from launcher.tls import OPERATOR, Tls


@dataclass(frozen=True, slots=True)
class LocalSystem:
    """The addresses and credentials of a running system."""

    credentials: Credentials
    #: ``host:port`` of the embedded PostgreSQL.
    postgres_address: str
    #: The URL of each web process by its name, such as ``payments-web``.
    urls: dict[str, str]
    #: The certificates of a system that uses TLS.
    tls: Tls | None = None

    def database_url(self, url: str) -> str:
        """Return the URL of a database of this system with what TLS needs, if the system uses it."""
        return self.tls.client_url(url) if self.tls else url

    @property
    def tls_files(self) -> TlsFiles | None:
        """The files with which an operator's command calls services, if the system uses TLS."""
        return self.tls.files(OPERATOR) if self.tls else None


def find(path: Path) -> LocalSystem | None:
    """Return the system that runs in the data folder ``path``; None if none runs there."""
    data_dir = DataDir(path)
    credentials = stored_credentials.load(data_dir)
    port = (data_dir.read_json(ports.FILE) or {}).get("postgres")
    now = state.now(data_dir)
    processes = now.processes
    if credentials is None or port is None or not processes:
        return None
    address = f"{ports.HOST}:{port}"
    uses_tls = now.gateway_url is not None and now.gateway_url.startswith("https:")
    return LocalSystem(
        credentials=credentials,
        postgres_address=address,
        tls=Tls(data_dir, frozenset({address})) if uses_tls else None,
        urls={process.name: process.url for process in processes if process.url},
    )
