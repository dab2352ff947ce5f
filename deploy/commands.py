"""The command lines of a service's processes, shared by docker-compose.yml and every other way to start them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.services import Service

#: Seconds that a stopping web process gives its running requests before its workers are killed.
WORKERS_KILL_TIMEOUT_SECONDS: Final = 8

#: Names the file that a process of the bus and the auditor create when they have started.
READY_FILE_VARIABLE: Final = "FASTCHECK_READY_FILE"
#: The port on which a process serves its health and its metrics.
OPERATOR_PORT_VARIABLE: Final = "FASTCHECK_METRICS_PORT"


@dataclass(frozen=True, slots=True)
class ServerTls:
    """Paths of PEM files: a server's certificate and key, and the CA of the clients, if they need a certificate."""

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def options(self) -> list[str]:
        """Return granian's options."""
        options = [f"--ssl-certificate={self.certificate}", f"--ssl-keyfile={self.key}"]
        return options if self.client_ca is None else [*options, f"--ssl-ca={self.client_ca}", "--ssl-client-verify"]


def web_command(service: Service, *, host: str, port: int, tls: ServerTls | None = None) -> list[str]:
    """Return the arguments to the Python interpreter that start the web process of ``service``."""
    return [
        "-m",
        "granian",
        "--interface=wsgi",
        "--factory",
        f"services.{service.name}.app:create_app",
        f"--host={host}",
        f"--port={port}",
        f"--workers={service.web_workers}",
        f"--blocking-threads={service.web_threads}",
        # Not "auto": cleartext HTTP/2 lets one connection occupy many threads at once.
        "--http=1",
        "--no-ws",
        f"--workers-kill-timeout={WORKERS_KILL_TIMEOUT_SECONDS}",
        "--log-level=error",
        *(tls.options() if tls else ()),
    ]


def bus_command(service: Service, role: str) -> list[str]:
    """Return the arguments to the Python interpreter that start one bus process of ``service``."""
    return ["-m", f"services.{service.name}.worker", role]
