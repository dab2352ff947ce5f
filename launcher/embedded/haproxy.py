"""HAProxy before the gateway: complete requests only, a limit per client address, and slots for bank notifications."""

import http.client
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from deploy.commands import ServerTls
from deploy.gateway_proxy import ADDRESS_HEADER, CONFIGURATION, environment
from launcher.children import Launch
from launcher.embedded.binaries import haproxy
from launcher.embedded.user import ServerFolder, server_user

NAME: Final = "gateway-proxy"
CONFIGURATION_FILE: Final = "haproxy.cfg"
CERTIFICATE_FILE: Final = "proxy.pem"
CA_FILE: Final = "ca.pem"
#: The names of the ports of the proxy for operators, and of the gateway's web process behind it.
OPERATOR_PORT: Final = "gateway-proxy operator"
GATEWAY_PORT: Final = "gateway-web"
#: The name of the port for the edge, which sends the client's address by the PROXY protocol.
EDGE_PORT: Final = "gateway-proxy edge"
CLIENT_ADDRESS_VARIABLE: Final = "FASTCHECK_CLIENT_ADDRESS_HEADER"

_HOST: Final = "127.0.0.1"
_PROBE_TIMEOUT_SECONDS: Final = 2.0


def program() -> Path | None:
    """Return the path of HAProxy: of the installed wheel, else of the machine; None if there is none."""
    installed = shutil.which("haproxy", path="/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin:/opt/homebrew/bin")
    return haproxy(server_user()) or (Path(installed) if installed else None)


def settings_behind(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of a gateway behind the proxy: it reads the client's address from the proxy's header."""
    return {CLIENT_ADDRESS_VARIABLE: ADDRESS_HEADER, **settings}


def ports_behind(ports: Mapping[str, int]) -> dict[str, int]:
    """Return the ports of the services: the gateway's is the one behind the proxy, if the system runs one."""
    return {**ports, "gateway": ports.get(GATEWAY_PORT, ports["gateway"])}


class EmbeddedHaproxy:
    """One proxy; the supervisor starts and stops it by :meth:`launch`."""

    def __init__(
        self,
        binary: Path,
        folder: Path,
        *,
        ports: Mapping[str, int],
        settings: Mapping[str, str],
        log: Path,
        replicas: int = 1,
        tls: ServerTls | None = None,
    ) -> None:
        """``settings`` are the user's: with a header of their own proxy, connections per address are not limited.

        ``tls`` identifies the proxy to clients and to the gateway, whose CA it names.
        """
        self._binary = binary
        self._port, self._operator_port = ports["gateway"], ports[OPERATOR_PORT]
        self._environment = environment(
            listen=f"{_HOST}:{self._port}",
            operator_listen=f"{_HOST}:{self._operator_port}",
            gateway=f"{_HOST}:{ports[GATEWAY_PORT]}",
            client_address_header=settings.get(CLIENT_ADDRESS_VARIABLE, ""),
            edge_listen=f"{_HOST}:{ports[EDGE_PORT]}" if EDGE_PORT in ports else "",
            replicas=replicas,
        )
        self._log = log
        self._tls = tls
        self._folder = ServerFolder(folder, server_user())

    def prepare(self) -> None:
        """Copy the configuration to where the server's user can read it."""
        self._folder.create()
        self._folder.write(CONFIGURATION_FILE, CONFIGURATION.read_text())
        if self._tls and self._tls.client_ca:
            self._folder.write(CERTIFICATE_FILE, self._tls.certificate.read_text() + self._tls.key.read_text())
            self._folder.write(CA_FILE, self._tls.client_ca.read_text())

    def launch(self) -> Launch:
        """Return the start command. SIGUSR1 lets running requests end."""
        folder = self._folder.seen_as
        files = {"PROXY_CERTIFICATE": f"{folder}/{CERTIFICATE_FILE}", "PROXY_CA": f"{folder}/{CA_FILE}"}
        return Launch(
            name=NAME,
            command=[str(self._binary), "-db", "-f", f"{self._folder.seen_as}/{CONFIGURATION_FILE}"],
            env={
                "PATH": "/usr/local/bin:/usr/bin:/bin",
                "LC_ALL": "C.UTF-8",
                **self._environment,
                **(files if self._tls else {}),
            },
            log=self._log,
            stop_signal=signal.SIGUSR1,
            user=server_user(),
            pass_fds=self._folder.pass_fds,
        )

    @property
    def operator_url(self) -> str:
        return f"http://{_HOST}:{self._operator_port}"

    def is_ready(self) -> bool:
        """Return whether the proxy accepts requests. The gateway's web process is probed by itself."""
        connection = http.client.HTTPConnection(_HOST, self._operator_port, timeout=_PROBE_TIMEOUT_SECONDS)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
