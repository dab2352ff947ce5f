"""The processes of a system as data: their commands, their environment, and their readiness probes."""

import http.client
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final

from deploy.commands import OPERATOR_PORT_VARIABLE, bus_command, web_command
from deploy.environment import process_environment
from deploy.services import SERVICES, Service
from launcher.children import Launch
from launcher.data_dir import DataDir
from launcher.ports import HOST
from launcher.tls import Tls, secured_environment

PROBE_TIMEOUT_SECONDS: Final = 2.0


class Stage(IntEnum):
    """The stages start in ascending and stop in descending order; the processes of a stage start together."""

    SERVERS = 1
    SERVICES = 2
    GATEWAY = 3
    PROXY = 4
    EDGE = 5


@dataclass(frozen=True, slots=True)
class Process:
    """One process of the system.

    A server is probed for readiness over its protocol, a process of FastCheck on its operator port.
    """

    launch: Launch
    stage: Stage
    is_ready: Callable[[], bool]
    url: str | None = None
    operator_url: str | None = None

    @property
    def name(self) -> str:
        return self.launch.name


def service_processes(
    settings: Mapping[str, str],
    ports: Mapping[str, int],
    data_dir: DataDir,
    services: Sequence[Service] = SERVICES,
    replicas: int = 1,
    *,
    tls: Tls | None = None,
) -> list[Process]:
    """Return the web process and the bus processes of every service, each ``replicas`` times.

    ``ports`` holds the port of each web process by service, and the operator port of each process by
    ``operator_port``. The sandbox bank never runs in production.
    """
    in_production = settings["FASTCHECK_ENVIRONMENT"] == "production"
    return [
        process
        for service in services
        if not (in_production and service.name == "sandbox_bank")
        for number in range(1, replicas + 1 if service.is_replicated else 2)
        for process in (
            _web(service, settings, ports, data_dir, number, tls=tls),
            *(_bus(service, role, settings, ports, data_dir, number=number, tls=tls) for role in service.bus_roles),
        )
    ]


def operator_port(process: str) -> str:
    """Return the name of a process's operator port among the ports of a system."""
    return f"{process} operator"


def operator_ports(services: Sequence[Service] = SERVICES, replicas: int = 1) -> list[str]:
    """Return the name of the operator port of every process."""
    return [
        operator_port(replica_name(f"{service.name}-{role}", number))
        for service in services
        for number in range(1, replicas + 1 if service.is_replicated else 2)
        for role in ("web", *service.bus_roles)
    ]


def replica_name(name: str, number: int) -> str:
    """Return the name of a replica: ``balance-web`` for the first, then ``balance-web-2``, ``balance-web-3``."""
    return name if number == 1 else f"{name}-{number}"


def is_replica_of(name: str, of: str) -> bool:
    """Return whether the process ``name`` is a replica of ``of``; the first replica counts too."""
    return re.fullmatch(rf"{re.escape(of)}(-\d+)?", name) is not None


def _web(
    service: Service,
    settings: Mapping[str, str],
    ports: Mapping[str, int],
    data_dir: DataDir,
    number: int,
    *,
    tls: Tls | None,
) -> Process:
    # All replicas listen on one port with SO_REUSEPORT: the kernel distributes connections among them, and callers need
    # not know their number. granian listens only after it has loaded the application, so a replica that cannot serve
    # yet gets no connection, and one successful probe is enough.
    name = replica_name(role := f"{service.name}-web", number)
    port, probed = ports[service.name], ports[operator_port(name)]
    return Process(
        launch=Launch(
            name=name,
            command=[
                sys.executable,
                *web_command(service, host=HOST, port=port, tls=tls.server(role) if tls else None),
            ],
            env={
                **secured_environment(tls, role, process_environment(service, settings)),
                OPERATOR_PORT_VARIABLE: str(probed),
            },
            log=data_dir.log(name),
            cwd=_code_folder(),
        ),
        stage=Stage.GATEWAY if service.name == "gateway" else Stage.SERVICES,
        # granian listens soon after the application has created the operator port.
        is_ready=lambda: answers_ready(probed) and answers(port, "/healthz", tls),
        url=f"{'https' if tls else 'http'}://{HOST}:{port}",
        operator_url=f"http://{HOST}:{probed}",
    )


def _bus(
    service: Service,
    role: str,
    settings: Mapping[str, str],
    ports: Mapping[str, int],
    data_dir: DataDir,
    *,
    number: int,
    tls: Tls | None,
) -> Process:
    name = replica_name(f"{service.name}-{role}", number)
    environment = secured_environment(tls, f"{service.name}-{role}", process_environment(service, settings))
    probed = ports[operator_port(name)]
    return Process(
        launch=Launch(
            name=name,
            command=[sys.executable, *bus_command(service, role)],
            env={**environment, OPERATOR_PORT_VARIABLE: str(probed)},
            log=data_dir.log(name),
            cwd=_code_folder(),
        ),
        stage=Stage.SERVICES,
        is_ready=lambda: answers_ready(probed),
        operator_url=f"http://{HOST}:{probed}",
    )


def answers_ready(port: int) -> bool:
    """Return whether ``GET /readyz`` on this port responds with 200."""
    return answers(port, "/readyz")


def answers(port: int, path: str, tls: Tls | None = None) -> bool:
    """Return whether a GET request to this port responds with 200."""
    connection = (
        http.client.HTTPSConnection(HOST, port, timeout=PROBE_TIMEOUT_SECONDS, context=tls.client_context())
        if tls
        else http.client.HTTPConnection(HOST, port, timeout=PROBE_TIMEOUT_SECONDS)
    )
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _code_folder() -> Path:
    return Path(__file__).resolve().parent.parent
