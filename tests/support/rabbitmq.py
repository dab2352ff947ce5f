"""A RabbitMQ node from Debian's package (``apt-get install rabbitmq-server``), as a child of the test.

The node and its name server (epmd) listen on loopback. Under root they run as an unprivileged user. The package's own
service is not touched.
"""

import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import amqp

from deploy.rabbitmq import definitions
from deploy.services import BUS
from launcher.children import Child, Launch, signal_group
from launcher.embedded.user import ServerFolder, server_user
from tests.support.eventually import eventually
from tests.support.servers import free_ports

#: The programs of Debian's package; those on the path are wrappers for the package's own service.
PROGRAMS: Final = Path("/usr/lib/rabbitmq/bin")
START_TIMEOUT_SECONDS: Final = 60.0
STOP_TIMEOUT_SECONDS: Final = 30.0
CONNECT_TIMEOUT_SECONDS: Final = 2.0
MISSING: Final = "no RabbitMQ here (Debian: apt-get install --no-install-recommends rabbitmq-server)"
_USER: Final = "fastcheck"
#: One virtual host per test: messages that a test leaves do not reach another.
VHOSTS: Final = tuple(f"test{number}" for number in range(16))
#: The virtual host on which services have the permissions that ``fastcheck rabbitmq`` prints.
SERVICES_VHOST: Final = "services"


def is_installed() -> bool:
    """Return whether RabbitMQ is installed."""
    return (PROGRAMS / "rabbitmq-server").exists()


class Node:
    """A RabbitMQ node that can be killed and started again on the same data."""

    def __init__(self, folder: Path, *, port: int, distribution_port: int, epmd_port: int) -> None:
        if not is_installed():
            raise RuntimeError(MISSING)
        self._password = secrets.token_hex(16)
        self._user = server_user()
        self._folder = folder
        self.port = port
        self._name = f"fastcheck{port}@localhost"
        home = ServerFolder(folder, self._user)
        home.create()
        home.write("rabbitmq.conf", f"load_definitions = {folder / 'definitions.json'}\n")
        #: The passwords of the users of services, on the virtual host ``SERVICES_VHOST``.
        self.passwords = {service: secrets.token_hex(16) for service in BUS}
        home.write("definitions.json", json.dumps(_definitions(self._password, self.passwords)))
        home.write("plugins", "[].\n")
        self._env = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(folder),
            "ERL_EPMD_PORT": str(epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self._name,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(distribution_port),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            # Without this, idle Erlang schedulers busy-wait and slow down concurrent tests.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "+sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}"
            ),
        }
        self._epmd = Child(self._launch("epmd", "epmd", "-port", str(epmd_port), "-address", "127.0.0.1"))
        self._server: Child | None = None

    def service_url(self, service: str) -> str:
        """Return the URL of the virtual host of the services with the user of one."""
        return f"amqp://{service}:{self.passwords[service]}@127.0.0.1:{self.port}/{SERVICES_VHOST}"

    def url(self, vhost: str) -> str:
        """Return the URL of a virtual host."""
        return f"amqp://{_USER}:{self._password}@127.0.0.1:{self.port}/{vhost}"

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        self._server = server = Child(self._launch("rabbitmq", str(PROGRAMS / "rabbitmq-server")))

        def ready() -> bool:
            if server.poll() is not None:
                raise RuntimeError(f"RabbitMQ did not start: {server.launch.log.read_text()[-2000:]}")
            return self._accepts_connections()

        eventually(ready, timeout=START_TIMEOUT_SECONDS)

    def has_written_down(self, vhost: str, *queues: str) -> bool:
        """Return whether the directory of quorum queues on disk lists these queues.

        Version 3.10 writes it about a second late. If the node is killed before that, the queue never gets a leader
        again, and its consumers get no response.
        """
        directory = self._folder / "data" / self._name / "quorum" / self._name / "names.dets"
        written = directory.read_bytes()
        return all(f"{vhost}_{queue}".encode() in written for queue in queues)

    def kill(self) -> None:
        """Kill the server with SIGKILL."""
        if self._server is None:
            raise RuntimeError("RabbitMQ does not run")
        self._server.end_group()
        self._server = None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server and all its child processes."""
        if self._server is None:
            raise RuntimeError("RabbitMQ does not run")
        signal_group(self._server.pid, number)

    def stop(self) -> None:
        """Stop the server and its name server."""
        if self._server is not None:
            self._server.ask_to_stop()
            server = self._server
            eventually(lambda: server.poll() is not None, timeout=STOP_TIMEOUT_SECONDS)
            self.kill()
        self._epmd.end_group()

    def control(self, *arguments: str) -> Any:
        """Return the JSON output of ``rabbitmqctl``, for example of ``list_queues name type``."""
        result = subprocess.run(
            [str(PROGRAMS / "rabbitmqctl"), "--quiet", "--formatter", "json", *arguments],
            env=self._env,
            cwd="/",
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
            user=self._user.uid if self._user else None,
            group=self._user.gid if self._user else None,
        )
        return json.loads(result.stdout)

    def connect(self, vhost: str) -> amqp.Connection:
        """Return a new connection, for a ``with`` block."""
        return amqp.Connection(
            f"127.0.0.1:{self.port}",
            userid=_USER,
            password=self._password,
            virtual_host=vhost,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
        )

    def _accepts_connections(self) -> bool:
        try:
            with self.connect(VHOSTS[-1]):
                return True
        except (OSError, amqp.AMQPError):
            return False

    def _launch(self, name: str, *command: str) -> Launch:
        log = self._folder.with_name(f"{self._folder.name}.{name}.log")
        return Launch(name=name, command=command, env=self._env, log=log, user=self._user)


def _definitions(password: str, passwords: dict[str, str]) -> dict[str, Any]:
    every = {"configure": ".*", "write": ".*", "read": ".*"}
    made = definitions({**passwords, _USER: password}, SERVICES_VHOST)
    made["vhosts"] += [{"name": name} for name in VHOSTS]
    made["permissions"] = [each for each in made["permissions"] if each["user"] != _USER]
    made["permissions"] += [{"user": _USER, "vhost": name, **every} for name in (*VHOSTS, SERVICES_VHOST)]
    return made


@contextmanager
def running() -> Iterator[Node]:
    """Run a node; stop it and delete its data at the end of the block."""
    outer = Path(tempfile.mkdtemp(prefix="fastcheck-rabbitmq-"))
    outer.chmod(0o711)  # the server's user traverses it to reach a folder of its own
    ports = free_ports()
    node = Node(outer / "node", port=next(ports), distribution_port=next(ports), epmd_port=next(ports))
    try:
        node.start()
        yield node
    finally:
        node.stop()
        shutil.rmtree(outer)
