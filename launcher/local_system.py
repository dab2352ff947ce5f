"""How to reach the system that runs in a data folder, for the operator's commands."""

from dataclasses import dataclass
from pathlib import Path

from deploy.credentials import Credentials
from launcher import ports, state, stored_credentials
from launcher.data_dir import DataDir


@dataclass(frozen=True, slots=True)
class LocalSystem:
    """The addresses and credentials of a running system."""

    credentials: Credentials
    #: ``host:port`` of the embedded PostgreSQL.
    postgres_address: str
    #: The URL of each web process by its name, such as ``payments-web``.
    urls: dict[str, str]


def find(path: Path) -> LocalSystem | None:
    """Return the system that runs in the data folder ``path``; None if none runs there."""
    data_dir = DataDir(path)
    credentials = stored_credentials.load(data_dir)
    port = (data_dir.read_json(ports.FILE) or {}).get("postgres")
    processes = state.now(data_dir).processes
    if credentials is None or port is None or not processes:
        return None
    return LocalSystem(
        credentials=credentials,
        postgres_address=f"{ports.HOST}:{port}",
        urls={process.name: process.url for process in processes if process.url},
    )
