"""A real RabbitMQ, from Debian's package, as a test's own child.

One node with its own name server (epmd), both on loopback, under an unprivileged user where we are root. The package's
own service is not touched. ``apt-get install rabbitmq-server`` where it is missing.
"""

import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import amqp

from launcher.children import Child, Launch, signal_group
from launcher.embedded.user import ServerFolder, server_user
from tests.support.eventually import eventually
from tests.support.servers import free_ports

#: Where Debian's package has the programs themselves; those on the path are for the package's own service.
PROGRAMS: Final = Path("/usr/lib/rabbitmq/bin")
START_TIMEOUT_SECONDS: Final = 60.0
STOP_TIMEOUT_SECONDS: Final = 30.0
CONNECT_TIMEOUT_SECONDS: Final = 2.0
MISSING: Final = "no RabbitMQ here (Debian: apt-get install --no-install-recommends rabbitmq-server)"
_USER: Final = "fastcheck"
#: A broker of its own for each of so many tests: what one leaves is not in the way of the next.
VHOSTS: Final = tuple(f"test{number}" for number in range(16))


def is_installed() -> bool:
    """Whether there is a RabbitMQ to be started."""
    return (PROGRAMS / "rabbitmq-server").exists()


class Node:
    """One RabbitMQ that can be killed and started again on the same data."""

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
        home.write("definitions.json", json.dumps(_definitions(self._password)))
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
            # Erlang's schedulers would otherwise spin while they wait, at the cost of the tests beside it.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "+sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}"
            ),
        }
        self._epmd = Child(self._launch("epmd", "epmd", "-port", str(epmd_port), "-address", "127.0.0.1"))
        self._server: Child | None = None

    def url(self, vhost: str) -> str:
        """Where a broker listens that has nothing in it but what was put into this vhost."""
        return f"amqp://{_USER}:{self._password}@127.0.0.1:{self.port}/{vhost}"

    def start(self) -> None:
        """Start the server and return when it takes connections."""
        self._server = server = Child(self._launch("rabbitmq", str(PROGRAMS / "rabbitmq-server")))

        def ready() -> bool:
            if server.poll() is not None:
                raise RuntimeError(f"RabbitMQ did not start: {server.launch.log.read_text()[-2000:]}")
            return self._answers()

        eventually(ready, timeout=START_TIMEOUT_SECONDS)

    def has_written_down(self, vhost: str, *queues: str) -> bool:
        """Whether its directory of quorum queues is on disk with these in it.

        3.10 writes it about a second late. A queue that is younger when the node is killed never gets a leader again,
        and nobody who consumes from it an answer.
        """
        directory = self._folder / "data" / self._name / "quorum" / self._name / "names.dets"
        written = directory.read_bytes()
        return all(f"{vhost}_{queue}".encode() in written for queue in queues)

    def kill(self) -> None:
        """``kill -9`` the server, in the middle of whatever it does."""
        if self._server is None:
            raise RuntimeError("it does not run")
        self._server.end_group()
        self._server = None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server and all its helpers."""
        if self._server is None:
            raise RuntimeError("it does not run")
        signal_group(self._server.pid, number)

    def stop(self) -> None:
        """End the server and its name server for good."""
        if self._server is not None:
            self._server.ask_to_stop()
            server = self._server
            eventually(lambda: server.poll() is not None, timeout=STOP_TIMEOUT_SECONDS)
            self.kill()
        self._epmd.end_group()

    def control(self, *arguments: str) -> Any:
        """What ``rabbitmqctl`` tells, for example of ``list_queues name type``."""
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
        """A connection of the test's own, for a ``with`` block."""
        return amqp.Connection(
            f"127.0.0.1:{self.port}",
            userid=_USER,
            password=self._password,
            virtual_host=vhost,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
        )

    def _answers(self) -> bool:
        try:
            with self.connect(VHOSTS[-1]):
                return True
        except (OSError, amqp.AMQPError):
            return False

    def _launch(self, name: str, *command: str) -> Launch:
        log = self._folder.with_name(f"{self._folder.name}.{name}.log")
        return Launch(name=name, command=command, env=self._env, log=log, user=self._user)


def _definitions(password: str) -> dict[str, Any]:
    salt = secrets.token_bytes(4)
    return {
        "users": [
            {
                "name": _USER,
                "password_hash": b64encode(salt + sha256(salt + password.encode()).digest()).decode(),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": "",
            }
        ],
        "vhosts": [{"name": name} for name in VHOSTS],
        "permissions": [
            {"user": _USER, "vhost": name, "configure": ".*", "write": ".*", "read": ".*"} for name in VHOSTS
        ],
    }


@contextmanager
def running() -> Iterator[Node]:
    """A node until the block ends; its data go with it."""
    outer = Path(tempfile.mkdtemp(prefix="fastcheck-rabbitmq-"))
    outer.chmod(0o711)  # the server's user walks through it, to a folder that is his alone
    ports = free_ports()
    node = Node(outer / "node", port=next(ports), distribution_port=next(ports), epmd_port=next(ports))
    try:
        node.start()
        yield node
    finally:
        node.stop()
        shutil.rmtree(outer)
