"""stunnel in front of the embedded PostgreSQL and Valkey, which are built without TLS (Debian: stunnel4).

It accepts TLS with a certificate of the system's CA only, and forwards to the Unix sockets of the servers, which listen
nowhere else.
"""

import shutil
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.commands import ServerTls
from deploy.failure import LaunchError
from launcher.children import Launch
from launcher.embedded.user import ServerFolder, server_user
from launcher.ports import HOST

CONFIGURATION_FILE: Final = "stunnel.conf"
#: Of a Unix socket's path (unix(7)).
MAX_SOCKET_PATH_BYTES: Final = 107

SETTINGS: Final = (
    ("foreground", "yes"),
    ("pid", ""),
    ("syslog", "no"),
    ("debug", "warning"),
    # Nagle's algorithm delays small messages by up to 40 ms.
    ("socket", "l:TCP_NODELAY=1"),
    ("socket", "r:TCP_NODELAY=1"),
)
#: Of each server. ``verifyChain`` alone accepts a client without a certificate.
CLIENT_SETTINGS: Final = ("verifyChain = yes", "requireCert = yes", "sslVersionMin = TLSv1.2")

CONNECT_TIMEOUT_SECONDS: Final = 2.0
PROGRAMS: Final = "/usr/bin:/usr/sbin:/usr/local/bin:/usr/local/sbin:/opt/homebrew/bin"


@dataclass(frozen=True, slots=True)
class Backend:
    """A server behind stunnel: the port where clients connect with TLS, and the server's Unix socket."""

    name: str
    port: int
    socket: str
    pass_fds: tuple[int, ...]
    #: stunnel's name of a protocol that negotiates TLS after the connection is made.
    protocol: str | None = None

    def __post_init__(self) -> None:
        if len(self.socket.encode()) > MAX_SOCKET_PATH_BYTES:
            raise LaunchError(
                f"The path {self.socket} is too long for a socket: choose a data folder with a shorter path."
            )


class EmbeddedStunnel:
    """One stunnel for all backends; the supervisor starts and stops it by :meth:`launch`."""

    def __init__(self, folder: Path, *, backends: Sequence[Backend], tls: ServerTls, log: Path) -> None:
        """``tls`` needs a CA for clients. Raises LaunchError if stunnel is not installed."""
        self._binary = _program()
        self._backends = backends
        self._tls = tls
        self._log = log
        self._user = server_user()
        self._folder = ServerFolder(folder, self._user)

    def prepare(self) -> None:
        """Write the configuration and copies of the certificate and its key, readable to the server alone."""
        self._folder.create()
        files = {"cert": self._tls.certificate, "key": self._tls.key, "CAfile": self._tls.client_ca}
        lines = [f"{name} = {value}" for name, value in SETTINGS]
        for option, file in files.items():
            if file is None:
                raise ValueError("stunnel needs the CA of its clients")
            self._folder.write(file.name, file.read_text())
            lines.append(f"{option} = {self._path(file.name)}")
        for backend in self._backends:
            lines += [
                f"[{backend.name}]",
                f"accept = {HOST}:{backend.port}",
                f"connect = {backend.socket}",
                *([f"protocol = {backend.protocol}"] if backend.protocol else []),
                *CLIENT_SETTINGS,
            ]
        self._folder.write(CONFIGURATION_FILE, "\n".join(lines) + "\n")

    def launch(self) -> Launch:
        """Return the start command."""
        return Launch(
            name="stunnel",
            # From a descriptor: stunnel resolves a path, through folders that its user may not enter.
            command=["/bin/sh", "-c", 'exec "$0" -fd 0 < "$1"', self._binary, self._path(CONFIGURATION_FILE)],
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            log=self._log,
            user=self._user,
            pass_fds=(*self._folder.pass_fds, *(fd for backend in self._backends for fd in backend.pass_fds)),
        )

    def _path(self, name: str) -> str:
        return f"{self._folder.seen_as}/{name}"

    def is_ready(self) -> bool:
        """Return whether stunnel accepts connections."""
        try:
            for backend in self._backends:
                socket.create_connection((HOST, backend.port), timeout=CONNECT_TIMEOUT_SECONDS).close()
        except OSError:
            return False
        return True


def installed() -> str | None:
    """Return the path of stunnel, or None if it is not installed."""
    return shutil.which("stunnel4", path=PROGRAMS) or shutil.which("stunnel", path=PROGRAMS)


def _program() -> str:
    """Return the path of stunnel; raise LaunchError with what to install."""
    program = installed()
    if program is None:
        raise LaunchError(
            "--tls needs stunnel, because the embedded PostgreSQL and Valkey are built without TLS: on Debian, "
            "`apt-get install stunnel4`. Or set FASTCHECK_* variables to servers of your own that use TLS."
        )
    return program
